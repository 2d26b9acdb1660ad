"""Folders and device of an installation, read from the environment.

No other module reads the environment for them.
"""

from __future__ import annotations

import errno
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from modelsheet import operating_system
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
            root = Path(os.path.expanduser(home)).absolute()
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

    def make_folders(self) -> None:
        """Make the folders, for this user alone.

        Raises InvalidRequest: one cannot be written, or other users can write it, whose code the
        worker could then run.
        """
        for folder in (self.data_dir, self.runtime_dir, self.log_dir):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            except OSError as error:
                raise InvalidRequest(
                    f"The folder {folder} cannot be written ({error.strerror}). Mend that, or name "
                    "another folder in MODELSHEET_HOME."
                ) from None
            if not operating_system.is_ours_without(folder.stat(), stat.S_IWGRP | stat.S_IWOTH):
                raise InvalidRequest(
                    f"Other users of this computer can write into {folder}. Take that right away "
                    f"(chmod go-w), or name a folder of your own in MODELSHEET_HOME."
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
