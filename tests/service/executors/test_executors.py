"""What every executor promises the dispatcher, wherever it has the work done."""

from __future__ import annotations

import itertools
import queue
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GenerateResult
from modelsheet.api.jobs import JobRequest
from modelsheet.api.learn import LearnRequest, LearnResult, TrainingOverrides
from modelsheet.api.types import ImageRef
from modelsheet.jobs.protocol import Directive
from modelsheet.service.executors.process_executor import ProcessExecutor
from modelsheet.service.executors.protocol import (
    Executor,
    Failed,
    Finished,
    JobReport,
    JobRun,
    Lost,
    Progressed,
    Report,
    ReportHandler,
    SlotsChanged,
    Stalled,
    StoppedEarly,
)
from modelsheet.service.executors.ray.executor import Cluster, RayExecutor
from modelsheet.service.storage.blobs import BlobStore
from modelsheet.subjects.store import ADAPTER
from tests.service.executors.inline_executor import InlineExecutor
from tests.service.scenarios.live import PIXELS, SHA
from tests.service.toy_runner import make_runner, undisturbed_adapter

_PATIENCE_S = 240.0
_RUNNER = "tests.service.toy_runner:make_runner"


@dataclass
class Harness:
    """An executor, what it reported, and the folder in which its jobs have theirs."""

    folder: Path
    toys: Path
    executor: Executor
    reports: queue.SimpleQueue[Report]
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def job_run(self, request: JobRequest, fence: int = 1, job_id: str = "") -> JobRun:
        job_id = job_id or f"job-{next(self.numbers)}"
        folders = [self.folder / "jobs" / job_id / name for name in ("checkpoint", f"out-{fence}")]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        checkpoint, staging = map(str, folders)
        return JobRun(
            job_id=job_id,
            fence=fence,
            request=request,
            checkpoint_dir=checkpoint,
            staging_dir=staging,
        )

    def start(self, request: JobRequest) -> JobRun:
        run = self.job_run(request)
        self.executor.start(run)
        return run

    def wait_for(self, run: JobRun, is_met: Callable[[JobReport], bool]) -> JobReport:
        while True:
            report = self.reports.get(timeout=_PATIENCE_S)
            if isinstance(report, SlotsChanged):
                continue
            assert (report.job_id, report.fence) == (run.job_id, run.fence)
            if is_met(report):
                return report
            assert isinstance(report, Progressed | Stalled), "it ended too soon"

    def last_report(self, run: JobRun) -> JobReport:
        return self.wait_for(run, lambda report: not isinstance(report, Progressed | Stalled))

    def wait_for_step(self, run: JobRun, step: int) -> int:
        """Return the first step reported that is not before this one."""

        def is_there(report: JobReport) -> bool:
            return isinstance(report, Progressed) and report.progress.step >= step

        report = self.wait_for(run, is_there)
        assert isinstance(report, Progressed)
        return report.progress.step

    def wait_until(self, is_met: Callable[[], bool]) -> None:
        until = time.monotonic() + _PATIENCE_S
        while not is_met():
            assert time.monotonic() < until
            time.sleep(0.02)  # what it looks for rings no bell

    def wait_for_slots(self) -> None:
        while self.executor.slots == 0:
            self.reports.get(timeout=_PATIENCE_S)


@pytest.fixture(scope="module", params=["inline", "process", "ray"])
def harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "data"
        BlobStore(folder / "blobs").write(PIXELS)
        reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        toys = folder
        if request.param == "ray":
            cluster = request.getfixturevalue("cluster")
            toys = cluster.toys
        executor = _make(request.param, folder, reports.put, request)
        try:
            assert set(executor.resume([])) == set()
            yield Harness(folder, toys, executor, reports)
        finally:
            executor.close()


def _make(
    kind: str, folder: Path, on_report: ReportHandler, request: pytest.FixtureRequest
) -> Executor:
    if kind == "inline":
        return InlineExecutor(folder, make_runner(folder), on_report)
    if kind == "process":
        return ProcessExecutor(folder, _RUNNER, folder / "worker.log", on_report)
    cluster = Cluster(request.getfixturevalue("cluster").address)
    log = folder / "worker.log"
    return RayExecutor(folder, _RUNNER, log, on_report, cluster=cluster, namespace="contract")


@pytest.fixture(autouse=True)
def _has_slots(harness: Harness) -> None:
    harness.wait_for_slots()
    (harness.toys / "go").unlink(missing_ok=True)


def learning(class_noun: str = "toy", steps: int = 20) -> LearnRequest:
    return LearnRequest(
        name="Hero",
        class_noun=class_noun,
        images=[ImageRef(blob=SHA, width=4, height=4)],
        overrides=TrainingOverrides(training_steps=steps),
    )


def test_what_is_learnt_lies_in_the_staging_folder(harness: Harness) -> None:
    job = harness.start(learning())
    report = harness.last_report(job)

    assert isinstance(report, Finished), report
    assert isinstance(report.result, LearnResult)
    assert (Path(job.staging_dir) / ADAPTER).read_bytes() == undisturbed_adapter()


def test_what_is_painted_is_a_blob_of_the_service(harness: Harness) -> None:
    report = harness.last_report(harness.start(GenerateRequest(prompt="a hill", seed=7)))

    assert isinstance(report, Finished), report
    assert isinstance(report.result, GenerateResult)
    blob = report.result.images[0].blob
    assert BlobStore(harness.folder / "blobs").read(blob) == (7).to_bytes(4, "big")


def test_pictures_of_the_service_reach_the_runner(harness: Harness) -> None:
    picture = BlobStore(harness.folder / "blobs").write(b"\1\2\3\4")
    image = ImageRef(blob=picture, width=1, height=1)
    job = harness.start(GenerateRequest(prompt="echo", init_image=image))
    report = harness.last_report(job)

    assert isinstance(report, Finished), report
    assert isinstance(report.result, GenerateResult)
    assert report.result.images[0].blob == picture


def test_a_job_that_stepped_aside_goes_on_where_it_was(harness: Harness) -> None:
    job = harness.start(learning("slow wait-at-15", steps=30))
    harness.wait_for_step(job, 3)
    harness.executor.tell(job.job_id, Directive.YIELD)
    aside = harness.last_report(job)
    (harness.toys / "go").touch()
    again = harness.job_run(job.request, fence=2, job_id=job.job_id)
    harness.executor.start(again)
    first_step = harness.wait_for_step(again, 0)
    end = harness.last_report(again)

    assert isinstance(aside, StoppedEarly)
    assert not aside.cancelled
    assert first_step > 3
    assert isinstance(end, Finished), end
    assert (Path(again.staging_dir) / ADAPTER).read_bytes() == undisturbed_adapter(30)


def test_a_cancelled_job_stops_at_the_next_step(harness: Harness) -> None:
    job = harness.start(learning("wait"))
    harness.executor.tell(job.job_id, Directive.CANCEL)
    report = harness.last_report(job)

    assert isinstance(report, StoppedEarly)
    assert report.cancelled


def test_learning_that_shall_finish_keeps_what_it_has(harness: Harness) -> None:
    job = harness.start(learning("slow wait-at-30", steps=40))
    harness.wait_for_step(job, 1)
    harness.executor.tell(job.job_id, Directive.FINISH)
    report = harness.last_report(job)

    assert isinstance(report, Finished), report
    assert isinstance(report.result, LearnResult)
    steps = report.result.training_steps
    assert 0 < steps < 40
    assert (Path(job.staging_dir) / ADAPTER).read_bytes() == undisturbed_adapter(steps)


def test_directives_for_others_change_nothing(harness: Harness) -> None:
    job = harness.start(learning("slow", steps=5))
    harness.executor.tell("somebody-else", Directive.CANCEL)
    harness.executor.kill("somebody-else")

    assert isinstance(harness.last_report(job), Finished)


def test_an_error_of_the_runner_ends_the_job_and_nothing_else(harness: Harness) -> None:
    failed = harness.last_report(harness.start(learning("explode")))
    fine = harness.last_report(harness.start(learning(steps=2)))

    assert isinstance(failed, Failed)
    assert failed.error.code == "internal"
    assert isinstance(fine, Finished)


def test_a_lack_of_memory_is_told_as_one(harness: Harness) -> None:
    failed = harness.last_report(harness.start(learning("hungry")))

    assert isinstance(failed, Failed)
    assert failed.error.code == "oom"
    assert "Close other programs" in failed.error.sentence


def test_the_workers_say_what_they_work_at(harness: Harness) -> None:
    def busy() -> list[str]:
        return [worker.job_id for worker in harness.executor.workers()]

    job = harness.start(learning("wait"))
    harness.wait_until(lambda: job.job_id in busy())
    assert len(busy()) == harness.executor.slots
    (harness.toys / "go").touch()
    harness.last_report(job)

    harness.wait_until(lambda: job.job_id not in busy())


@pytest.mark.parametrize("harness", ["process", "ray"], indirect=True)
def test_who_is_killed_is_lost_and_another_takes_the_next_job(harness: Harness) -> None:
    job = harness.start(learning("wait"))
    harness.executor.kill(job.job_id)
    lost = harness.last_report(job)
    harness.wait_for_slots()
    fine = harness.last_report(harness.start(learning(steps=2)))

    assert isinstance(lost, Lost)
    assert isinstance(fine, Finished)


@pytest.mark.parametrize("harness", ["process", "ray"], indirect=True)
def test_a_crash_of_the_worker_is_a_loss_with_its_checkpoint_kept(harness: Harness) -> None:
    job = harness.start(learning("slow wait-at-60 crash-at-60", steps=70))
    harness.wait_for_step(job, 59)
    harness.wait_until((Path(job.checkpoint_dir) / "state.json").exists)
    (harness.toys / "go").touch()
    lost = harness.last_report(job)
    harness.wait_for_slots()
    again = harness.job_run(job.request, fence=2, job_id=job.job_id)
    harness.executor.start(again)
    first_step = harness.wait_for_step(again, 0)
    end = harness.last_report(again)

    assert isinstance(lost, Lost)
    assert first_step > 1
    assert isinstance(end, Finished), end
    assert (Path(again.staging_dir) / ADAPTER).read_bytes() == undisturbed_adapter(70)
