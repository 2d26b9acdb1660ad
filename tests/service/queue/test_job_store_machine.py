"""Random lives of jobs against a model of a few lines: whatever is asked in whatever order."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GenerateResult
from modelsheet.api.jobs import TERMINAL_STATES, JobError, JobRequest
from modelsheet.api.learn import LearnRequest
from modelsheet.api.types import ImageRef
from modelsheet.errors import Conflict
from modelsheet.service.queue.job import Job
from modelsheet.service.queue.job_store import MAX_ATTEMPTS, JobStore, StaleReport
from tests.service.scenarios.live import SHA

PAINT = GenerateRequest(prompt="a hill")
LEARN = LearnRequest(name="Hero", class_noun="toy", images=[ImageRef(blob=SHA, width=4, height=4)])
ERROR = JobError(code="internal", sentence="It failed.")
REPORTS = ["finish", "fail", "mark_cancelled", "requeue", "record_loss", "pause_with_error"]
ASKS = ["start", "cancel", "pause", "resume", "finish_early"]
ARGUMENTS = {
    "finish": (GenerateResult(images=[]),),
    "fail": (ERROR,),
    "record_loss": ("exit status -9",),
    "pause_with_error": (ERROR,),
}


class JobLives(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name) / "ledger.sqlite3"
        self.store = JobStore(self._path, lambda view: None)
        self.jobs: list[str] = []
        self.over: dict[str, object] = {}
        self.fences: dict[str, int] = {}

    def teardown(self) -> None:
        self.store.close()
        self._folder.cleanup()

    @rule(request=st.sampled_from([PAINT, LEARN]), owner=st.sampled_from(["", "ann"]))
    def submit(self, request: JobRequest, owner: str) -> None:
        self.jobs.append(self.store.submit(request, owner=owner).id)

    @rule(pick=st.integers(0, 9), other=st.integers(0, 9), last=st.booleans())
    def move(self, pick: int, other: int, last: bool) -> None:
        if not self.jobs:
            return
        before = [job.id for job in self.store.table.in_state("queued")]
        mover = self.jobs[pick % len(self.jobs)]
        target = None if last else self.jobs[other % len(self.jobs)]
        try:
            self.store.move(mover, target)
        except Conflict:
            assert [job.id for job in self.store.table.in_state("queued")] == before
            return
        after = [job.id for job in self.store.table.in_state("queued")]
        rest = [job_id for job_id in before if job_id != mover]
        assert [job_id for job_id in after if job_id != mover] == rest
        assert target in (None, mover) or after.index(mover) + 1 == after.index(target)

    @rule(pick=st.integers(0, 9), ask=st.sampled_from(ASKS))
    def ask(self, pick: int, ask: str) -> None:
        if not self.jobs:
            return
        job_id = self.jobs[pick % len(self.jobs)]
        before = self.store.table.get(job_id).view
        try:
            getattr(self.store, ask)(job_id)
        except Conflict:
            assert before.state in TERMINAL_STATES or ask in ("start", "finish_early")
            assert self.store.table.get(job_id).view == before

    @rule(pick=st.integers(0, 9), report=st.sampled_from(REPORTS), late=st.booleans())
    def report(self, pick: int, report: str, late: bool) -> None:
        if not self.jobs:
            return
        job = self.store.table.get(self.jobs[pick % len(self.jobs)])
        is_current = job.view.state == "running" and not late
        try:
            fence = job.fence - late
            getattr(self.store, report)(job.id, fence, *ARGUMENTS.get(report, ()))
            assert is_current
        except StaleReport:
            assert not is_current
            assert self.store.table.get(job.id) == job

    @rule()
    def restart(self) -> None:
        before = self.store.table.newest()
        self.store.close()
        self.store = JobStore(self._path, lambda view: None)
        assert self.store.table.newest() == before

    @rule()
    def lose_the_database(self) -> None:
        """It is restored from the backup: everything but progress."""
        before = [_durable(job) for job in self.store.table.newest()]
        self.store.close()
        self._path.unlink()
        self.store = JobStore(self._path, lambda view: None)
        assert sorted(_durable(job) for job in self.store.table.newest()) == sorted(before)
        self.over = {job.id: job for job in self.store.table.newest() if job.id in self.over}

    @invariant()
    def what_is_over_stays_and_fences_only_rise(self) -> None:
        for job in self.store.table.newest():
            assert 1 <= job.view.attempt <= MAX_ATTEMPTS
            assert job.fence >= self.fences.get(job.id, 0)
            self.fences[job.id] = job.fence
            if job.view.state in TERMINAL_STATES:
                assert self.over.setdefault(job.id, job) == job
            else:
                assert job.id not in self.over


def _durable(job: Job) -> tuple[object, ...]:
    view = job.view
    return (job.id, job.request_json, job.fence, job.place, view.state, view.attempt, view.owner)


JobLives.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),  # a busy machine is slow, and that is no fault
)
TestJobLives = JobLives.TestCase
