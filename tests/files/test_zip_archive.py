"""The zip reader unpacks no more than it was told, whatever an archive's directory says."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from modelsheet.files.zip_archive import ZipError, ZipReader, open_zip
from tests.files.damaged_zip import spoiled

LIMIT = 1000  # bytes of a member


def archive(method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as new:
        for name, data in members.items():
            new.writestr(name, data)
    return content.getvalue()


def claiming(content: bytes, size: int) -> bytes:
    """An archive of one member whose unpacked size is claimed to be another."""
    changed = bytearray(content)
    struct.pack_into("<L", changed, changed.index(b"PK\x01\x02") + 24, size)
    struct.pack_into("<L", changed, changed.index(b"PK\x03\x04") + 22, size)
    return bytes(changed)


def read(content: bytes | Path, name: str = "a", **limits: int) -> bytes:
    with open_zip(content, **{"max_members": 10, "max_bytes": 3 * LIMIT, **limits}) as reader:
        return reader.read(name, LIMIT)


def test_it_reads_what_is_there(tmp_path: Path) -> None:
    content = archive(a=b"hello", empty=b"")
    (tmp_path / "file.zip").write_bytes(content + b"")

    assert read(content) == read(tmp_path / "file.zip") == b"hello"
    assert read(content, "empty") == b""
    assert read(archive(zipfile.ZIP_STORED, a=b"stored")) == b"stored"


def encrypted(content: bytes) -> bytes:
    changed = bytearray(content)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        changed[changed.index(mark) + offset] |= 1
    return bytes(changed)


def twice() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as new:
        new.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            new.writestr("a", b"2")
    return content.getvalue()


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "no zip": (lambda: b"hello", "it is no zip file"),
    "empty": (lambda: b"", "it is no zip file"),
    "cut off": (lambda: archive(a=b"hello")[:-30], "it is no zip file"),
    "many members": (lambda: archive(**{f"m{n}": b"" for n in range(11)}), "more than 10 files"),
    "a long directory": (
        lambda: archive(**{f"{n}" * 60_000: b"" for n in range(2)}),
        "more than 10 files",
    ),
    "one name twice": (twice, "two files of one name"),
    "no such member": (lambda: archive(b=b""), "it lacks 'a'"),
    "too large": (lambda: archive(a=b"x" * 1001), "'a' unpacks to more than 1000 bytes"),
    "damaged": (lambda: spoiled(archive(a=b"hello"), "a"), "'a' is damaged"),
    "encrypted": (lambda: encrypted(archive(a=b"hello")), "'a' is damaged"),
    "another checksum": (lambda: claiming(archive(a=b"hello"), 3), "'a' is damaged"),
    "shorter than it says": (lambda: claiming(archive(a=b"hello"), 9), "'a' is cut off"),
    "bzip2": (lambda: archive(zipfile.ZIP_BZIP2, a=b"hello"), "an unusual method"),
    "LZMA": (lambda: archive(zipfile.ZIP_LZMA, a=b"hello"), "an unusual method"),
    "a name that is no text": (
        lambda: archive(**{"\N{LATIN SMALL LETTER E WITH ACUTE}": b""}).replace(
            b"\xc3\xa9", b"\xff\xfe"
        ),
        "it is damaged",
    ),
}


@pytest.mark.parametrize(("make", "said"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_said(make: Callable[[], bytes], said: str) -> None:
    with pytest.raises(ZipError, match=said):
        read(make())


def test_members_together_have_a_limit() -> None:
    content = archive(**dict.fromkeys("abcd", b"x" * LIMIT))

    def read_all(reader: ZipReader) -> None:
        for name in "abcd":
            reader.read(name, LIMIT)

    with (
        open_zip(content, max_members=10, max_bytes=3 * LIMIT) as reader,
        pytest.raises(ZipError, match="it unpacks to more than"),
    ):
        read_all(reader)


def test_a_member_that_lies_about_its_size_is_unpacked_no_further() -> None:
    bomb = claiming(archive(a=bytes(64 << 20)), LIMIT)

    tracemalloc.start()
    with pytest.raises(ZipError, match="'a' is damaged"):
        read(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 4 << 20
