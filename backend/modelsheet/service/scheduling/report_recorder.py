"""Apply the reports of a run to its job in the store."""

from __future__ import annotations

from pathlib import Path

from modelsheet.api.jobs import JobError
from modelsheet.errors import DiskFull, WorkerCrashed, is_disk_full
from modelsheet.service.executors.protocol import (
    DISK_FULL,
    Failed,
    Finished,
    JobReport,
    Lost,
    Progressed,
    Stalled,
    StoppedEarly,
)
from modelsheet.service.queue.job import Job
from modelsheet.service.queue.job_store import JobStore
from modelsheet.service.queue.publication import Publisher


def crash_as_lost(report: JobReport) -> JobReport:
    """Return Lost for the failure of a worker whose own child process died, else the report."""
    if isinstance(report, Failed) and report.error.code == WorkerCrashed.code:
        return Lost(job_id=report.job_id, fence=report.fence, reason=report.error.sentence)
    return report


class ReportRecorder:
    """Turn each report into a transition of the job store, a finished run into a subject."""

    def __init__(self, jobs: JobStore, publisher: Publisher) -> None:
        self._jobs = jobs
        self._publisher = publisher

    def record(self, job: Job, staging: Path, report: JobReport) -> None:
        """Apply a report. Raises StaleReport: the run is no longer current. OSError: try again."""
        job_id, fence = report.job_id, report.fence
        match report:
            case Progressed():
                self._jobs.record_progress(job_id, fence, report.progress)
            case Stalled():
                self._jobs.note_stall(job_id, fence, report.is_stalled)
            case Finished():
                self._finish(job, staging, report)
            case Failed() if report.error.code == DiskFull.code:
                self._jobs.pause_with_error(job_id, fence, report.error)
            case Failed():
                self._jobs.fail(job_id, fence, report.error)
            case StoppedEarly() if report.cancelled:
                self._jobs.mark_cancelled(job_id, fence)
            case StoppedEarly():
                self._jobs.requeue(job_id, fence)
            case Lost():
                self._jobs.record_loss(job_id, fence, report.reason)

    def _finish(self, job: Job, staging: Path, report: Finished) -> None:
        try:
            self._publisher.finish(job, report.result, staging)
        except OSError as error:
            if is_disk_full(error):
                self._jobs.pause_with_error(report.job_id, report.fence, DISK_FULL)
                return
            sentence = f"The subject could not be written to the data folder ({error.strerror})."
            failure = JobError(code="internal", sentence=sentence)
            self._jobs.fail(report.job_id, report.fence, failure)
