"""Find the backend process of this computer, start it, or stop it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from ..errors import BackendMissing, BackendNotSetUp
from ..i18n import tr
from .client import Address

if TYPE_CHECKING:
    from modelsheet_setup import platforms
else:
    from .._vendor.modelsheet_setup import platforms

START_TIMEOUT_S = 90.0
IDLE_MINUTES = "15"  # without Krita and jobs, then a backend that the plugin has started ends
POLL_INTERVAL_S = 0.25


@dataclass(frozen=True)
class LaunchPlan:
    """Command that starts the backend, and the files in which it gives its address and its log.

    `command` is empty where no backend is installed; `can_set_up` tells whether the plugin can do
    that. `home` becomes its MODELSHEET_HOME.
    """

    command: tuple[str, ...]
    home: str | None
    connection_file: Path
    log_file: Path
    can_set_up: bool = False


class Launcher:
    """Starts and stops the backend's process, which outlives Krita, as learning does, until it is
    idle.
    """

    def __init__(self, plan: LaunchPlan, environment: Mapping[str, str]) -> None:
        self._plan = plan
        self._environment = clean_environment(environment, plan.home)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def can_set_up(self) -> bool:
        """True where the plugin came by its zip and can set the backend up."""
        return self._plan.can_set_up

    @property
    def how_to_repair(self) -> str:
        """Say where a backend that does not start is repaired."""
        if self._plan.can_set_up:
            return tr("“Set Up, Repair or Remove…” at the bottom of this docker")
        return tr("./install.sh in Modelsheet's folder")

    def find(self) -> Address | None:
        """Return the address in the connection file, or None if there is none.

        Raises BackendMissing when other users can read the file.
        """
        path = self._plan.connection_file
        try:
            if not platforms.is_private(path):
                raise BackendMissing(
                    tr(
                        "{path} can be read by other people, so its token is not safe. Delete the "
                        "file, then press Try Again.",
                        path=path,
                    )
                )
            entries = json.loads(path.read_text(encoding="utf-8"))
            return Address(entries["url"], entries["token"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def start(self, wait: Callable[[float], None]) -> None:
        """Start the backend and wait until it has written its connection file.

        `wait` sleeps for a number of seconds. Raises BackendMissing when it does not start.
        """
        if not self._plan.command and self._plan.can_set_up:
            raise BackendNotSetUp(
                tr(
                    "No backend is set up on this computer yet. Set Up shows what it would "
                    "download; or use another computer's."
                )
            )
        if not self._plan.command:
            raise BackendMissing(
                tr(
                    "No backend is installed on this computer. Run ./install.sh in Modelsheet's "
                    "folder, or enter the URL and token of another computer's: the button at the "
                    "bottom of this docker asks for them."
                )
            )
        before = self._modified_at()
        self._process = self._spawn()
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._modified_at() == before:
            # Exit 0: another Krita was faster, and its backend is the one.
            if self._process.poll() not in (None, 0) or time.monotonic() > deadline:
                raise BackendMissing(self._failure())
            wait(POLL_INTERVAL_S)

    def stop(self) -> None:
        """Send SIGTERM to the running backend, which saves its work first."""
        path = self._plan.connection_file
        if self.find() is None:
            return
        entries = json.loads(path.read_text(encoding="utf-8"))
        try:
            os.kill(int(entries["pid"]), signal.SIGTERM)
        except ProcessLookupError:
            path.unlink(missing_ok=True)  # it has ended without tidying up

    def _spawn(self) -> subprocess.Popen[bytes]:
        log_file = self._plan.log_file
        try:
            log_file.parent.mkdir(parents=True, exist_ok=True)
            with log_file.open("wb") as log:
                return subprocess.Popen(
                    self._plan.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    cwd=log_file.parent,
                    **platforms.Platform.current().process_options(),
                )
        except OSError as error:
            raise BackendMissing(
                tr(
                    "The backend cannot be started: {command} ({reason}). Repair it ({how}), then "
                    "press Try Again.",
                    command=self._plan.command[0],
                    reason=error.strerror,
                    how=self.how_to_repair,
                )
            ) from error

    def _modified_at(self) -> int:
        try:
            return self._plan.connection_file.stat().st_mtime_ns
        except OSError:
            return 0

    def _failure(self) -> str:
        log = self._plan.log_file.read_text(encoding="utf-8", errors="replace")
        last = next((line for line in reversed(log.splitlines()) if line.strip()), "…")
        return tr(
            "The backend did not start. It said: “{line}”. Fix that, or repair it ({how}), then "
            "press Try Again. (Log: {log})",
            line=last.strip(),
            how=self.how_to_repair,
            log=self._plan.log_file,
        )


def clean_environment(environment: Mapping[str, str], home: str | None) -> dict[str, str]:
    """Copy Krita's environment without what belongs to Krita's own Python, Qt and AppImage, and
    let the backend end when it is idle.
    """
    kept = platforms.Platform.current(environment).clean_environment()
    kept.setdefault("MODELSHEET_IDLE_MINUTES", IDLE_MINUTES)
    if home:
        kept["MODELSHEET_HOME"] = home
    return kept
