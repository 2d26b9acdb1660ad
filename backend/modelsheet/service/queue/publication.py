"""Making a learnt subject visible exactly once, whatever is killed in between.

The result lies in the subject's folder before the one rename that publishes both. If the service
dies between the rename and the ledger's commit, the next start finds the folder and commits what it
says.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from modelsheet.api.jobs import JobError, JobResult
from modelsheet.api.learn import LearnResult
from modelsheet.errors import ModelsheetError, NotFound
from modelsheet.service.queue.job import Job
from modelsheet.service.queue.job_store import Ledger
from modelsheet.subjects.store import SubjectStore

_RESULT = "result.json"


class Publisher:
    """Prepares the folders of an attempt and turns what it leaves there into a finished job."""

    def __init__(self, data_dir: Path, ledger: Ledger, subjects: SubjectStore) -> None:
        self._jobs = data_dir / "jobs"
        self._ledger = ledger
        self._subjects = subjects

    def prepare(self, job: Job) -> tuple[Path, Path]:
        """Return the job's checkpoint folder, with what is in it, and a fresh staging folder."""
        checkpoints = self._jobs / job.id / "checkpoint"
        checkpoints.mkdir(parents=True, exist_ok=True)
        return checkpoints, self._subjects.stage(job.id)

    def finish(self, job: Job, result: JobResult, staging: Path) -> None:
        """Publish and commit. Raises StaleReport; OSError when the disk does not take it."""
        self._ledger.require_current(job.id, job.fence)
        try:
            if isinstance(result, LearnResult) and not self._is_published(job):
                (staging / _RESULT).write_text(result.model_dump_json(), encoding="utf-8")
                self._subjects.publish(staging, job.id, job.view.owner)
        except ModelsheetError as error:
            failure = JobError(code=error.code, sentence=str(error), retryable=error.retryable)
            self._ledger.fail(job.id, job.fence, failure)
        else:
            self._ledger.finish(job.id, job.fence, result)

    def recover(self, going_on: Collection[str] = ()) -> None:
        """Put the jobs that ran when the service died in order, save those that still run, and
        remove what nobody needs any more.
        """
        for job in self._ledger.in_state("running"):
            result = self._published_result(job)
            if result is not None:
                self._ledger.finish(job.id, job.fence, result)
            elif job.id not in going_on:
                self._ledger.step_aside(job.id, job.fence)
        self._subjects.discard_staged()
        unfinished = set(self._ledger.unfinished_ids())
        for folder in self._jobs.glob("*"):
            if folder.name not in unfinished:
                shutil.rmtree(folder, ignore_errors=True)

    def clean_up(self, job_id: str, staging: Path) -> None:
        """Remove an attempt's staging folder, and its checkpoints once the job is over."""
        shutil.rmtree(staging, ignore_errors=True)
        if job_id not in self._ledger.unfinished_ids():
            shutil.rmtree(self._jobs / job_id, ignore_errors=True)

    def _is_published(self, job: Job) -> bool:
        return self._published_result(job) is not None

    def _published_result(self, job: Job) -> LearnResult | None:
        try:
            folder = self._subjects.folder(job.id)
        except NotFound:
            return None
        return LearnResult.model_validate_json((folder / _RESULT).read_bytes())
