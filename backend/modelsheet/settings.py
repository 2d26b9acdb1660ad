"""Folders and device of an installation, read from the environment.

No other module reads the environment for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

_APP = "modelsheet"


@dataclass(frozen=True)
class Settings:
    """Folders of one installation, read once at the start of a program.

    `runtime_dir` holds the connection file `server.json`; `threads` serve HTTP; an empty `device`
    lets the worker choose.
    """

    data_dir: Path
    runtime_dir: Path
    log_dir: Path
    threads: int = 12  # 12 clients at once, half of them may wait in a long poll
    device: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read MODELSHEET_HOME (the parent of all folders) and MODELSHEET_DEVICE.

        Without MODELSHEET_HOME the platform's user folders are taken.
        """
        device = environment.get("MODELSHEET_DEVICE", "").strip()
        home = environment.get("MODELSHEET_HOME", "").strip()
        if home:
            root = Path(home).expanduser().absolute()
            return cls(root / "data", root / "run", root / "log", device=device)
        state = platformdirs.user_state_path(_APP, appauthor=False)
        # Not the session's runtime folder: it goes away with the last login, and a service may
        # outlive that.
        return cls(
            data_dir=platformdirs.user_data_path(_APP, appauthor=False),
            runtime_dir=state / "run",
            log_dir=state / "log",
            device=device,
        )
