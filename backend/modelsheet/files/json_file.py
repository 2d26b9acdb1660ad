"""Read JSON files that others wrote, such as the config files of a model's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_MAX_BYTES = 32 << 20  # the largest is a tokenizer of some MiB


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises FileNotFoundError, OSError. ValueError: it is no ordinary file, too large, or no object.
    """
    if path.exists() and not path.is_file():  # a pipe or a device, which has no end
        raise ValueError("it is no ordinary file")
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError(f"it is larger than {_MAX_BYTES >> 20} MiB")
    try:
        content = json.loads(path.read_bytes())
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(content, dict):
        raise ValueError("it holds no object")
    return content
