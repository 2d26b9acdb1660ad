"""What setting up this computer's backend would do, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SetupPlan:
    """What was found on this computer, and what setting up would do."""

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
    """How a piece of work ended: `error` is a sentence, or empty."""

    error: str = ""
    is_cancelled: bool = False
