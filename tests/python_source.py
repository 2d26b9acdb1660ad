"""Source files as trees."""

from __future__ import annotations

import ast
import gc
from pathlib import Path


def parsed(path: Path) -> ast.Module:
    """Parse a file while the garbage collector rests: what Qt's finalisers call meanwhile makes
    Python 3.11 lose count of the tree's depth (SystemError, python/cpython issue 106905).
    """
    content = path.read_text(encoding="utf-8")
    gc.disable()
    try:
        return ast.parse(content)
    finally:
        gc.enable()
