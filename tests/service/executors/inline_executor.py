"""Run jobs in threads of this process, for tests."""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path

from modelsheet.api.admin import WorkerView
from modelsheet.jobs.protocol import Directive, Runner
from modelsheet.service.executors.job_context import LocalJobContext, execute_run
from modelsheet.service.executors.protocol import JobRun, ReportHandler
from modelsheet.service.queue.job import Job
from modelsheet.service.storage.blobs import BlobStore


class InlineExecutor:
    """Run each job on a new thread, `slots` at once. It cannot kill: a runner that ignores CANCEL
    runs to its end.
    """

    def __init__(
        self, data_dir: Path, runner: Runner, on_report: ReportHandler, slots: int = 1
    ) -> None:
        self.slots = slots
        self._blobs = BlobStore(data_dir / "blobs")
        self._runner = runner
        self._on_report = on_report
        self.prepared = 0
        self._running: dict[str, tuple[LocalJobContext, threading.Thread]] = {}

    def resume(self, runs: Collection[tuple[str, int]]) -> Collection[str]:
        return ()

    def prepare(self) -> None:
        self.prepared += 1

    def start(self, run: JobRun) -> None:
        context = LocalJobContext(run, self._blobs, self._on_report)
        thread = threading.Thread(
            target=lambda: self._execute(context), name="inline-job", daemon=True
        )
        self._running[run.job_id] = context, thread
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
        for context, thread in list(self._running.values()):
            context.tell(Directive.CANCEL)
            thread.join(timeout=5.0)

    def _execute(self, context: LocalJobContext) -> None:
        report = execute_run(context, lambda: self._runner)
        self._running.pop(context.job_id, None)
        self._on_report(report)
