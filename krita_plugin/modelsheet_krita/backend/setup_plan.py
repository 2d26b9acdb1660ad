"""Describe a set-up of this computer's backend: its plan, and its outcome."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SetupPlan:
    """Plan of setting up: what was found on this computer, and what would be done."""

    folder: Path
    card: str
    python: str  # version and path, or empty where one is downloaded
    download_mb: int
    disk_gb: int
    free_gb: int
    is_complete: bool
    is_begun: bool
    is_outdated: bool


@dataclass(frozen=True)
class SetupOutcome:
    """Outcome of a piece of work: `error` is a sentence, or empty."""

    error: str = ""
    is_cancelled: bool = False
