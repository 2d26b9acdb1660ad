"""Read zip archives of strangers: one member at a time, within limits of number, size and sum.

A directory's numbers are claims: no more is ever unpacked than the member said it holds.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

# What zipfile raises for a damaged archive: its own error, the decompressor's, a name that is no
# text (ValueError), and RuntimeError for an encrypted member.
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
# bzip2 and LZMA unpack without a limit in zipfile, and none of our formats uses them.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_END_MARK = b"PK\x05\x06"
_END_BYTES = 22  # of the record at the end, which a comment of up to 65535 bytes may follow
_ZIP64_MARK = b"PK\x06\x07"
_ZIP64_BYTES = 20
_ENTRY_BYTES = 512  # of a member in the directory, on average: 46, its name and extra fields


class ZipError(Exception):
    """Reason for which an archive or a member is refused: a clause that begins in lower case."""


class ZipReader:
    """An opened archive. All methods raise ZipError."""

    def __init__(self, archive: zipfile.ZipFile, max_bytes: int) -> None:
        self._archive = archive
        self._max_bytes = max_bytes
        self._unpacked = 0

    def read(self, name: str, limit: int) -> bytes:
        """Unpack one member of at most `limit` bytes in memory."""
        try:
            member = self._archive.getinfo(name)
        except KeyError:
            raise ZipError(f"it lacks {name!r}") from None
        self._check(member, limit)
        try:
            with self._archive.open(member) as stream:
                content = stream.read(member.file_size)
        except (*_DAMAGE, OSError) as error:
            raise ZipError(f"{name!r} is damaged: {error}") from None
        if len(content) != member.file_size:
            raise ZipError(f"{name!r} is cut off")
        return content

    def _check(self, member: zipfile.ZipInfo, limit: int) -> None:
        name = member.filename
        if member.compress_type not in _METHODS:
            raise ZipError(f"{name!r} is compressed by an unusual method")
        if member.file_size > limit:
            raise ZipError(f"{name!r} unpacks to more than {limit} bytes; that is refused")
        self._unpacked += member.file_size
        if self._unpacked > self._max_bytes:
            raise ZipError(f"it unpacks to more than {self._max_bytes >> 20} MiB; that is refused")


@contextmanager
def open_zip(source: Path | bytes, *, max_members: int, max_bytes: int) -> Iterator[ZipReader]:
    """Open an archive to read at most `max_bytes` of it.

    Raises ZipError: no zip archive, damaged, more than `max_members`, or two of one name. OSError:
    the file cannot be read.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as stream:
        _check_directory_size(stream, max_members)
        try:
            archive = zipfile.ZipFile(stream)
        except (*_DAMAGE, OSError) as error:
            raise ZipError(f"it is damaged: {error}") from None
        with archive:
            names = archive.namelist()
            if len(names) > max_members:
                raise ZipError(f"it holds more than {max_members} files; that is refused")
            if len(set(names)) < len(names):
                raise ZipError("it holds two files of one name")
            yield ZipReader(archive, max_bytes)


def _check_directory_size(stream: IO[bytes], max_members: int) -> None:
    """Check the size of the directory before zipfile reads all of it. Raises ZipError."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - _ZIP64_BYTES - _END_BYTES - 0xFFFF))
    tail = stream.read()
    place = tail.rfind(_END_MARK)
    if place < 0 or place + _END_BYTES > len(tail):
        raise ZipError("it is no zip file, or cut off")
    (directory_bytes,) = struct.unpack_from("<L", tail, place + 12)
    is_zip64 = tail[max(0, place - _ZIP64_BYTES) : place].startswith(_ZIP64_MARK)
    if is_zip64 or directory_bytes > max_members * _ENTRY_BYTES:
        raise ZipError(f"it holds more than {max_members} files; that is refused")
