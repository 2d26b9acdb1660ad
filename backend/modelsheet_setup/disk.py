"""Look how much room the disk of a folder has."""

from __future__ import annotations

import shutil
from pathlib import Path

from .errors import SetupError

GB = 1024**3


def free_bytes(folder: Path) -> int:
    """Return what is free on the disk of a folder, which need not exist yet."""
    place = folder
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def check_disk(folder: Path, needed_gb: int) -> None:
    """Raise SetupError if the disk of a folder has too little room."""
    free_gb = free_bytes(folder) // GB
    if free_gb < needed_gb:
        raise SetupError(
            f"The disk of {folder} has {free_gb} GB free; the backend needs {needed_gb} GB. Make "
            "room, then try again."
        )
