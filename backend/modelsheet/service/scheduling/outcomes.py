"""What an attempt's report means for its job in the ledger."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

from modelsheet.api.jobs import JobError
from modelsheet.api.learn import LearnResult
from modelsheet.errors import DiskFull, WorkerCrashed
from modelsheet.service.executors.protocol import (
    Advanced,
    Failed,
    Finished,
    JobReport,
    Lost,
    Silent,
    StoppedEarly,
)
from modelsheet.service.queue.job import Job
from modelsheet.service.queue.job_store import Ledger
from modelsheet.service.queue.publication import Publisher

_DISK_FULL = JobError(
    code=DiskFull.code,
    sentence="The disk of the data folder is full; free some space and resume the job.",
    retryable=True,
)


def as_loss(report: JobReport) -> JobReport:
    """A worker that lost one of its own processes has lost the job as if it had died itself."""
    if isinstance(report, Failed) and report.error.code == WorkerCrashed.code:
        return Lost(job_id=report.job_id, fence=report.fence, reason=report.error.sentence)
    return report


class Outcomes:
    """`on_published` hears of each new subject."""

    def __init__(
        self, ledger: Ledger, publisher: Publisher, on_published: Callable[[], None]
    ) -> None:
        self._ledger = ledger
        self._publisher = publisher
        self._on_published = on_published

    def record(self, job: Job, staging: Path, report: JobReport) -> None:
        """Raises StaleReport: the attempt is no longer the current one. OSError: try again."""
        job_id, fence = report.job_id, report.fence
        match report:
            case Advanced():
                self._ledger.advance(job_id, fence, report.progress)
            case Silent():
                self._ledger.note_stall(job_id, fence, report.is_silent)
            case Finished():
                self._finish(job, staging, report)
            case Failed() if report.error.code == DiskFull.code:
                self._ledger.hold(job_id, fence, report.error)
            case Failed():
                self._ledger.fail(job_id, fence, report.error)
            case StoppedEarly() if report.cancelled:
                self._ledger.cancelled(job_id, fence)
            case StoppedEarly():
                self._ledger.step_aside(job_id, fence)
            case Lost():
                self._ledger.lose(job_id, fence, report.reason)

    def _finish(self, job: Job, staging: Path, report: Finished) -> None:
        try:
            self._publisher.finish(job, report.result, staging)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                self._ledger.hold(report.job_id, report.fence, _DISK_FULL)
                return
            sentence = f"The subject could not be written to the data folder ({error.strerror})."
            failure = JobError(code="internal", sentence=sentence)
            self._ledger.fail(report.job_id, report.fence, failure)
        else:
            if isinstance(report.result, LearnResult):
                self._on_published()
