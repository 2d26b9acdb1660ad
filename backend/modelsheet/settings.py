"""Folders and device of an installation, read from the environment.

No other module reads the environment for them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from modelsheet.errors import InvalidRequest

_APP = "modelsheet"
IDLE_MINUTES_VARIABLE = "MODELSHEET_IDLE_MINUTES"
STARTED_IDLE_MINUTES = "15"  # of a service that a program starts


@dataclass(frozen=True)
class Settings:
    """Folders of one installation, read once at the start of a program.

    `runtime_dir` holds the connection file `server.json`; `threads` serve HTTP; an empty `device`
    lets the worker choose. After `idle_minutes` without a request or a job the service ends, and so
    does a worker without a job; 0 keeps both.
    """

    data_dir: Path
    runtime_dir: Path
    log_dir: Path
    threads: int = 12  # a third of them for one caller; who waits holds none
    device: str = ""
    idle_minutes: float = 0.0

    @property
    def idle_s(self) -> float:
        return self.idle_minutes * 60

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read MODELSHEET_HOME (the parent of all folders), MODELSHEET_DEVICE and
        MODELSHEET_IDLE_MINUTES, which the programs set that start a service for an artist.

        Without MODELSHEET_HOME the platform's user folders are taken. Raises InvalidRequest.
        """
        idle_minutes = _minutes(environment.get(IDLE_MINUTES_VARIABLE, ""))
        device = environment.get("MODELSHEET_DEVICE", "").strip()
        home = environment.get("MODELSHEET_HOME", "").strip()
        if home:
            root = Path(home).expanduser().absolute()
            return cls(
                root / "data", root / "run", root / "log", device=device, idle_minutes=idle_minutes
            )
        state = platformdirs.user_state_path(_APP, appauthor=False)
        # Not the session's runtime folder: it goes away with the last login, and a service may
        # outlive that.
        return cls(
            data_dir=platformdirs.user_data_path(_APP, appauthor=False),
            runtime_dir=state / "run",
            log_dir=state / "log",
            device=device,
            idle_minutes=idle_minutes,
        )


def _minutes(text: str) -> float:
    try:
        minutes = float(text or 0)
        if math.isfinite(minutes) and minutes >= 0:
            return minutes
    except ValueError:
        pass
    raise InvalidRequest(
        f"{IDLE_MINUTES_VARIABLE} is {text!r}. Give a number of minutes, or 0 to keep the service."
    )
