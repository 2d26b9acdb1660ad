"""Run one program after another, with a log, until somebody cancels."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Callable

from .errors import SetupCancelled
from .platforms import Platform


class ProgramFailed(Exception):
    """A program ended with an error; `output` is what it said."""

    def __init__(self, output: str) -> None:
        super().__init__(output)
        self.output = output


class Runner:
    """Runs programs in a clean environment. `cancel` may be called from another thread."""

    def __init__(self, platform: Platform, log: Path) -> None:
        self.platform, self.log = platform, log
        self.variables: dict[str, str] = {}  # more of the environment
        self._process: subprocess.Popen[bytes] | None = None
        self._is_cancelled = False
        self._lock = threading.Lock()

    def run(
        self,
        command: Sequence[str],
        *,
        folder: Path | None = None,
        on_line: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Run a program and append what it says to the log.

        Raises ProgramFailed, SetupCancelled, OSError.
        """
        said = []
        started = self._started(command, folder, subprocess.STDOUT)
        with self.log.open("a", encoding="utf-8") as log, started as process:
            assert process.stdout is not None
            for raw in process.stdout:
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                log.write(f"{line}\n")
                said.append(line)
                on_line(line)
        self._check_exit(process, "\n".join(said))

    def output(self, command: Sequence[str], *, folder: Path | None = None) -> str:
        """Run a program and return what it writes; what it complains of goes to nobody.

        Raises ProgramFailed, SetupCancelled, OSError.
        """
        with self._started(command, folder, subprocess.DEVNULL) as process:
            written = process.communicate()[0].decode("utf-8", "replace")
        self._check_exit(process, written)
        return written

    def cancel(self) -> None:
        """End the program that runs, and start no other one."""
        with self._lock:
            self._is_cancelled = True
            if self._process is not None and self._process.poll() is None:
                self.platform.end_process(self._process)

    def check(self) -> None:
        """Raise SetupCancelled if it is cancelled."""
        if self._is_cancelled:
            raise SetupCancelled

    @contextmanager
    def _started(
        self, command: Sequence[str], folder: Path | None, errors: int
    ) -> Iterator[subprocess.Popen[bytes]]:
        with self._lock:
            self.check()
            process = self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=folder,
                env={**self.platform.clean_environment(), **self.variables},
                **self.platform.process_options(),
            )
        with process:
            try:
                yield process
            except BaseException:  # Ctrl-C goes to this process alone
                self.platform.end_process(process)
                raise

    def _check_exit(self, process: subprocess.Popen[bytes], output: str) -> None:
        self.check()
        if process.returncode:
            raise ProgramFailed(output)
