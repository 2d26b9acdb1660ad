"""An executor in a thread of this process: for tests and for a runner without native code that
could crash.
"""

from __future__ import annotations

import threading
from pathlib import Path

from modelsheet.execution import Directive, Runner
from modelsheet.service.blobs import BlobStore
from modelsheet.service.executors.attempt import Attempt, carry_out
from modelsheet.service.executors.port import Assignment, Sink


class InlineExecutor:
    """Runs each assignment on a fresh thread. It cannot kill: a runner that ignores CANCEL runs to
    its end.
    """

    def __init__(self, data_dir: Path, runner: Runner, sink: Sink) -> None:
        self._blobs = BlobStore(data_dir / "blobs")
        self._runner = runner
        self._sink = sink
        self._attempt: Attempt | None = None
        self._thread: threading.Thread | None = None

    def start(self, assignment: Assignment) -> None:
        attempt = Attempt(assignment, self._blobs, self._sink)
        self._attempt = attempt
        self._thread = threading.Thread(
            target=lambda: self._sink(carry_out(attempt, lambda: self._runner)),
            name="inline-job",
            daemon=True,
        )
        self._thread.start()

    def tell(self, directive: Directive) -> None:
        if self._attempt is not None:
            self._attempt.tell(directive)

    def kill(self) -> None:
        self.tell(Directive.CANCEL)

    def close(self) -> None:
        self.kill()
        if self._thread is not None:
            self._thread.join(timeout=5.0)
