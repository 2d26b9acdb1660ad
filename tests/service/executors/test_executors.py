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
from modelsheet.service.executors.process import ProcessExecutor
from modelsheet.service.executors.protocol import (
    Advanced,
    Assignment,
    Executor,
    Failed,
    Finished,
    JobReport,
    Lost,
    Report,
    Room,
    Silent,
    Sink,
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
class House:
    """An executor, what it reported, and the folder in which its jobs have theirs."""

    folder: Path
    toys: Path
    executor: Executor
    reports: queue.SimpleQueue[Report]
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def assignment(self, request: JobRequest, fence: int = 1, job_id: str = "") -> Assignment:
        job_id = job_id or f"job-{next(self.numbers)}"
        folders = [self.folder / "jobs" / job_id / name for name in ("checkpoint", f"out-{fence}")]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        checkpoint, staging = map(str, folders)
        return Assignment(
            job_id=job_id,
            fence=fence,
            request=request,
            checkpoint_dir=checkpoint,
            staging_dir=staging,
        )

    def start(self, request: JobRequest) -> Assignment:
        assignment = self.assignment(request)
        self.executor.start(assignment)
        return assignment

    def wait_for(self, assignment: Assignment, is_met: Callable[[JobReport], bool]) -> JobReport:
        while True:
            report = self.reports.get(timeout=_PATIENCE_S)
            if isinstance(report, Room):
                continue
            assert (report.job_id, report.fence) == (assignment.job_id, assignment.fence)
            if is_met(report):
                return report
            assert isinstance(report, Advanced | Silent), "it ended too soon"

    def last_word(self, assignment: Assignment) -> JobReport:
        return self.wait_for(assignment, lambda report: not isinstance(report, Advanced | Silent))

    def wait_for_step(self, assignment: Assignment, step: int) -> int:
        """Return the first step reported that is not before this one."""

        def is_there(report: JobReport) -> bool:
            return isinstance(report, Advanced) and report.progress.step >= step

        report = self.wait_for(assignment, is_there)
        assert isinstance(report, Advanced)
        return report.progress.step

    def wait_until(self, is_met: Callable[[], bool]) -> None:
        until = time.monotonic() + _PATIENCE_S
        while not is_met():
            assert time.monotonic() < until
            time.sleep(0.02)  # what it looks for rings no bell

    def wait_for_room(self) -> None:
        while self.executor.slots == 0:
            self.reports.get(timeout=_PATIENCE_S)


@pytest.fixture(scope="module", params=["inline", "process", "ray"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
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
            yield House(folder, toys, executor, reports)
        finally:
            executor.close()


def _make(kind: str, folder: Path, sink: Sink, request: pytest.FixtureRequest) -> Executor:
    if kind == "inline":
        return InlineExecutor(folder, make_runner(folder), sink)
    if kind == "process":
        return ProcessExecutor(folder, _RUNNER, folder / "worker.log", sink)
    cluster = Cluster(request.getfixturevalue("cluster").address)
    log = folder / "worker.log"
    return RayExecutor(folder, _RUNNER, log, sink, cluster=cluster, namespace="contract")


@pytest.fixture(autouse=True)
def _has_room(house: House) -> None:
    house.wait_for_room()
    (house.toys / "go").unlink(missing_ok=True)


def learning(class_noun: str = "toy", steps: int = 20) -> LearnRequest:
    return LearnRequest(
        name="Hero",
        class_noun=class_noun,
        images=[ImageRef(blob=SHA, width=4, height=4)],
        overrides=TrainingOverrides(training_steps=steps),
    )


def test_what_is_learnt_lies_in_the_staging_folder(house: House) -> None:
    job = house.start(learning())
    report = house.last_word(job)

    assert isinstance(report, Finished), report
    assert isinstance(report.result, LearnResult)
    assert (Path(job.staging_dir) / ADAPTER).read_bytes() == undisturbed_adapter()


def test_what_is_painted_is_a_blob_of_the_service(house: House) -> None:
    report = house.last_word(house.start(GenerateRequest(prompt="a hill", seed=7)))

    assert isinstance(report, Finished), report
    assert isinstance(report.result, GenerateResult)
    blob = report.result.images[0].blob
    assert BlobStore(house.folder / "blobs").read(blob) == (7).to_bytes(4, "big")


def test_pictures_of_the_service_reach_the_runner(house: House) -> None:
    picture = BlobStore(house.folder / "blobs").write(b"\1\2\3\4")
    image = ImageRef(blob=picture, width=1, height=1)
    job = house.start(GenerateRequest(prompt="echo", init_image=image))
    report = house.last_word(job)

    assert isinstance(report, Finished), report
    assert isinstance(report.result, GenerateResult)
    assert report.result.images[0].blob == picture


def test_a_job_that_stepped_aside_goes_on_where_it_was(house: House) -> None:
    job = house.start(learning("slow wait-at-15", steps=30))
    house.wait_for_step(job, 3)
    house.executor.tell(job.job_id, Directive.YIELD)
    aside = house.last_word(job)
    (house.toys / "go").touch()
    again = house.assignment(job.request, fence=2, job_id=job.job_id)
    house.executor.start(again)
    first_step = house.wait_for_step(again, 0)
    end = house.last_word(again)

    assert isinstance(aside, StoppedEarly)
    assert not aside.cancelled
    assert first_step > 3
    assert isinstance(end, Finished), end
    assert (Path(again.staging_dir) / ADAPTER).read_bytes() == undisturbed_adapter(30)


def test_a_cancelled_job_stops_at_the_next_step(house: House) -> None:
    job = house.start(learning("wait"))
    house.executor.tell(job.job_id, Directive.CANCEL)
    report = house.last_word(job)

    assert isinstance(report, StoppedEarly)
    assert report.cancelled


def test_learning_that_shall_finish_keeps_what_it_has(house: House) -> None:
    job = house.start(learning("slow wait-at-30", steps=40))
    house.wait_for_step(job, 1)
    house.executor.tell(job.job_id, Directive.FINISH)
    report = house.last_word(job)

    assert isinstance(report, Finished), report
    assert isinstance(report.result, LearnResult)
    steps = report.result.training_steps
    assert 0 < steps < 40
    assert (Path(job.staging_dir) / ADAPTER).read_bytes() == undisturbed_adapter(steps)


def test_directives_for_others_change_nothing(house: House) -> None:
    job = house.start(learning("slow", steps=5))
    house.executor.tell("somebody-else", Directive.CANCEL)
    house.executor.kill("somebody-else")

    assert isinstance(house.last_word(job), Finished)


def test_an_error_of_the_runner_ends_the_job_and_nothing_else(house: House) -> None:
    failed = house.last_word(house.start(learning("explode")))
    fine = house.last_word(house.start(learning(steps=2)))

    assert isinstance(failed, Failed)
    assert failed.error.code == "internal"
    assert isinstance(fine, Finished)


def test_the_workers_say_what_they_work_at(house: House) -> None:
    def busy() -> list[str]:
        return [worker.job_id for worker in house.executor.workers()]

    job = house.start(learning("wait"))
    house.wait_until(lambda: job.job_id in busy())
    assert len(busy()) == house.executor.slots
    (house.toys / "go").touch()
    house.last_word(job)

    house.wait_until(lambda: job.job_id not in busy())


@pytest.mark.parametrize("house", ["process", "ray"], indirect=True)
def test_who_is_killed_is_lost_and_another_takes_the_next_job(house: House) -> None:
    job = house.start(learning("wait"))
    house.executor.kill(job.job_id)
    lost = house.last_word(job)
    house.wait_for_room()
    fine = house.last_word(house.start(learning(steps=2)))

    assert isinstance(lost, Lost)
    assert isinstance(fine, Finished)


@pytest.mark.parametrize("house", ["process", "ray"], indirect=True)
def test_a_crash_of_the_worker_is_a_loss_with_its_checkpoint_kept(house: House) -> None:
    job = house.start(learning("slow wait-at-60 crash-at-60", steps=70))
    house.wait_for_step(job, 59)
    house.wait_until((Path(job.checkpoint_dir) / "state.json").exists)
    (house.toys / "go").touch()
    lost = house.last_word(job)
    house.wait_for_room()
    again = house.assignment(job.request, fence=2, job_id=job.job_id)
    house.executor.start(again)
    first_step = house.wait_for_step(again, 0)
    end = house.last_word(again)

    assert isinstance(lost, Lost)
    assert first_step > 1
    assert isinstance(end, Finished), end
    assert (Path(again.staging_dir) / ADAPTER).read_bytes() == undisturbed_adapter(70)
