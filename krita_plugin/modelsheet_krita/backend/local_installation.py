"""This computer's backend as the plugin's zip sets it up: what is there, and the work itself.

The work is done by modelsheet_setup, of which the plugin has a copy.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Callable

from .message_translation import translate
from .setup_plan import SetupOutcome, SetupPlan

if TYPE_CHECKING:
    from modelsheet_setup import errors
    from modelsheet_setup.environment import Progress
    from modelsheet_setup.installation import PAYLOAD, Installation, disk_gb
    from modelsheet_setup.platforms import Platform
else:
    from .._vendor.modelsheet_setup import errors
    from .._vendor.modelsheet_setup.environment import Progress
    from .._vendor.modelsheet_setup.installation import PAYLOAD, Installation, disk_gb
    from .._vendor.modelsheet_setup.platforms import Platform

SAMPLE = PAYLOAD / "hero.ora"
LOG_LINES = 2000


class LocalInstallation:
    """The backend in the data folder. `run` and `plan` take long and may run on any thread."""

    def __init__(
        self, home: str | None = None, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._platform = Platform.current(environment)
        self._data_folder = self._platform.data_folder(home)
        self._work = self._make()
        self.stage = ""
        self.done = 0.0  # of all the work, as far as stages are over
        self.lines: deque[str] = deque(maxlen=LOG_LINES)

    @property
    def is_offered(self) -> bool:
        """True where the plugin came by its zip, with the backend's wheel."""
        return PAYLOAD.is_dir()

    @property
    def command(self) -> tuple[str, ...]:
        """The command that starts the backend; empty where it is not set up."""
        return self._work.command

    @property
    def downloaded_mb(self) -> int:
        """Megabytes that the running stage has downloaded."""
        return self._work.downloaded_mb

    def plan(self) -> SetupPlan | str:
        """Look what is there; return a sentence where that fails."""
        work = self._make()  # the last one may have been cancelled
        try:
            found = work.plan()
            return SetupPlan(
                found.folder,
                found.card.title,
                f"{found.python.version} ({found.python.path})" if found.python else "",
                found.download_mb,
                disk_gb(found.card),
                found.free_gb,
                work.is_complete,
                work.is_begun,
                work.is_outdated(),
            )
        except errors.SetupError as error:
            return translate(str(error))
        except OSError as error:  # a folder above it may not be looked into
            return f"{error.filename}: {error.strerror}"

    def run(self, action: str) -> SetupOutcome:
        """Set up, repair or remove."""
        self._work = self._make()
        self.stage, self.done = "", 0.0
        self.lines.clear()
        progress = Progress(self._on_stage, self._on_line, self._on_line)
        works: dict[str, Callable[[], None]] = {
            "set_up": lambda: self._work.set_up(progress),
            "repair": lambda: self._work.repair(progress),
            "remove": self._work.remove,
        }
        try:
            works[action]()
        except errors.SetupCancelled:
            return SetupOutcome(is_cancelled=True)
        except errors.SetupError as error:
            return SetupOutcome(translate(str(error)))
        except OSError as error:
            return SetupOutcome(f"{error.filename}: {error.strerror}")
        return SetupOutcome()

    def cancel(self) -> None:
        """End what runs; what was done is kept."""
        self._work.cancel()

    def _make(self) -> Installation:
        return Installation(self._platform, self._data_folder)

    def _on_stage(self, text: str, begun: float) -> None:
        self.stage, self.done = translate(text), begun
        self.lines.append(f"── {text}")

    def _on_line(self, line: str) -> None:
        self.lines.append(line)
