"""Errors of damaged zip archives."""

from __future__ import annotations

import lzma
import zipfile
import zlib

# zipfile raises these for a damaged file, beside OSError: its own, the decompressors', and
# RuntimeError for an encrypted entry or (NotImplementedError) a compression it does not know.
DAMAGED_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError)
