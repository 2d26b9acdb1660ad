"""An executor in threads of this process: for tests and for a runner without native code that could
crash.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path

from modelsheet.api.admin import WorkerView
from modelsheet.jobs.protocol import Directive, Runner
from modelsheet.service.executors.job_context import Attempt, carry_out
from modelsheet.service.executors.protocol import Assignment, Sink
from modelsheet.service.queue.job import Job
from modelsheet.service.storage.blobs import BlobStore


class InlineExecutor:
    """Runs each assignment on a fresh thread, `slots` at once. It cannot kill: a runner that
    ignores CANCEL runs to its end.
    """

    def __init__(self, data_dir: Path, runner: Runner, sink: Sink, slots: int = 1) -> None:
        self.slots = slots
        self._blobs = BlobStore(data_dir / "blobs")
        self._runner = runner
        self._sink = sink
        self._running: dict[str, tuple[Attempt, threading.Thread]] = {}

    def resume(self, attempts: Collection[tuple[str, int]]) -> Collection[str]:
        return ()

    def start(self, assignment: Assignment) -> None:
        attempt = Attempt(assignment, self._blobs, self._sink)
        thread = threading.Thread(
            target=lambda: self._carry_out(attempt), name="inline-job", daemon=True
        )
        self._running[assignment.job_id] = attempt, thread
        thread.start()

    def tell(self, job_id: str, directive: Directive) -> None:
        if job_id in self._running:
            self._running[job_id][0].tell(directive)

    def kill(self, job_id: str) -> None:
        self.tell(job_id, Directive.CANCEL)

    def warmth(self, job: Job) -> int:
        return 0  # there is no choice of workers

    def workers(self) -> list[WorkerView]:
        busy = [*self._running, *[""] * self.slots][: self.slots]
        return [WorkerView(name=f"thread {k}", job_id=job) for k, job in enumerate(busy)]

    def close(self) -> None:
        for attempt, thread in list(self._running.values()):
            attempt.tell(Directive.CANCEL)
            thread.join(timeout=5.0)

    def _carry_out(self, attempt: Attempt) -> None:
        report = carry_out(attempt, lambda: self._runner)
        self._running.pop(attempt.job_id, None)
        self._sink(report)
