"""Zip files that came from elsewhere. No torch."""

from __future__ import annotations

import lzma
import zipfile
import zlib

# What zipfile raises of a damaged file, beside OSError: its own, the decompressors', and
# RuntimeError for an encrypted entry or (NotImplementedError) a compression it does not know.
DAMAGED_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError)
