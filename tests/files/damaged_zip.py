"""Zip files with an intact directory and damaged compressed bytes."""

from __future__ import annotations

import io
import zipfile

_HEADER = 30  # bytes before an entry's name


def spoiled(content: bytes, name: str) -> bytes:
    """Return the archive with the first bytes of one entry overwritten by an invalid block."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w") as new:
        for each in old.namelist():
            kind = zipfile.ZIP_DEFLATED if each == name else zipfile.ZIP_STORED
            new.writestr(each, old.read(each), kind)
        entry = new.getinfo(name)
    damaged = bytearray(packed.getvalue())
    start = entry.header_offset + _HEADER + len(name)
    damaged[start : start + 4] = b"\xff" * 4
    return bytes(damaged)
