"""Publish a learnt subject exactly once, whatever process is killed in between.

The result is written to the subject's folder before the one rename that publishes both. If the
service dies between the rename and the commit of the job, the next start finds the folder and
commits its result.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from modelsheet.api.jobs import JobError, JobResult
from modelsheet.api.learn import LearnRequest, LearnResult
from modelsheet.errors import ModelsheetError, NotFound
from modelsheet.service.queue.job import UNFINISHED_STATES, Job
from modelsheet.service.queue.job_store import JobStore
from modelsheet.subjects.store import SubjectStore

_RESULT = "result.json"


class Publisher:
    """Prepare the folders of a run and publish its result. `on_published` is called after each
    learnt subject.
    """

    def __init__(
        self,
        data_dir: Path,
        jobs: JobStore,
        subjects: SubjectStore,
        on_published: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder = data_dir / "jobs"
        self._jobs = jobs
        self._subjects = subjects
        self._on_published = on_published

    def prepare(self, job: Job) -> tuple[Path, Path]:
        """Return the job's checkpoint folder, with what is in it, and a fresh staging folder."""
        checkpoints = self._folder / job.id / "checkpoint"
        checkpoints.mkdir(parents=True, exist_ok=True)
        return checkpoints, self._subjects.stage(job.id)

    def finish(self, job: Job, result: JobResult, staging: Path) -> None:
        """Publish the subject, if any, and commit the job as done. Raises StaleReport: the run is
        no longer current. OSError: the disk refuses.
        """
        self._jobs.require_current(job.id, job.fence)
        try:
            if isinstance(result, LearnResult) and self._published_result(job) is None:
                (staging / _RESULT).write_text(result.model_dump_json(), encoding="utf-8")
                replaces = job.request.replaces if isinstance(job.request, LearnRequest) else ""
                self._subjects.publish(
                    staging, job.id, job.view.owner, takes_over=True, replaces=replaces
                )
        except ModelsheetError as error:
            self._jobs.fail(job.id, job.fence, JobError.of(error))
        else:
            self._jobs.finish(job.id, job.fence, result)
        if isinstance(result, LearnResult):
            self._on_published()

    def recover(self, going_on: Collection[str] = ()) -> None:
        """Commit or queue again the jobs that ran when the service died, except those whose runs go
        on, and remove the folders that no job needs.
        """
        for job in self._jobs.table.in_state("running"):
            result = self._published_result(job)
            if result is not None:
                self._jobs.finish(job.id, job.fence, result)
            elif job.id not in going_on:
                self._jobs.requeue(job.id, job.fence)
        self._subjects.discard_staged()
        unfinished = set(self._jobs.table.ids(UNFINISHED_STATES))
        for folder in self._folder.glob("*"):
            if folder.name not in unfinished:
                shutil.rmtree(folder, ignore_errors=True)

    def clean_up(self, job_id: str, staging: Path) -> None:
        """Remove a run's staging folder, and the checkpoints once the job is over."""
        shutil.rmtree(staging, ignore_errors=True)
        if job_id not in self._jobs.table.ids(UNFINISHED_STATES):
            shutil.rmtree(self._folder / job_id, ignore_errors=True)

    def _published_result(self, job: Job) -> LearnResult | None:
        try:
            folder = self._subjects.folder(job.id)
        except NotFound:
            return None
        return LearnResult.model_validate_json((folder / _RESULT).read_bytes())
