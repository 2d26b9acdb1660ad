"""The executor that keeps a worker process: whatever becomes of the process, it is told."""

from __future__ import annotations

import queue
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelsheet.api.generate import GenerateRequest
from modelsheet.service.executors import process_executor
from modelsheet.service.executors.process_executor import ProcessExecutor
from modelsheet.service.executors.protocol import (
    Failed,
    Finished,
    JobRun,
    Lost,
    Progressed,
    Report,
    Stalled,
)

_PATIENCE_S = 150.0
Reports = queue.SimpleQueue[Report]


@pytest.fixture
def reports() -> Reports:
    return queue.SimpleQueue()


@pytest.fixture
def executor(tmp_path: Path, reports: Reports) -> Iterator[ProcessExecutor]:
    factory = "tests.service.toy_runner:make_runner"
    executor = ProcessExecutor(tmp_path, factory, tmp_path / "worker.log", reports.put)
    yield executor
    executor.close()


def job_run(folder: Path, fence: int = 1, prompt: str = "a hill") -> JobRun:
    return JobRun(
        job_id="job",
        fence=fence,
        request=GenerateRequest(prompt=prompt),
        checkpoint_dir=str(folder),
        staging_dir=str(folder),
    )


def last_report(reports: Reports) -> Report:
    """Wait for the report that ends the run."""
    while isinstance(report := reports.get(timeout=_PATIENCE_S), Progressed | Stalled):
        pass
    return report


def test_a_job_is_carried_out_by_the_process(
    executor: ProcessExecutor, reports: Reports, tmp_path: Path
) -> None:
    executor.start(job_run(tmp_path))

    assert isinstance(last_report(reports), Finished)


def test_a_worker_that_dies_before_it_is_given_the_job_is_told(
    executor: ProcessExecutor,
    reports: Reports,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stillborn(data_dir: Path, factory: str) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, "-c", ""], stdin=pipe, stdout=pipe, stderr=pipe)

    start = process_executor._Worker.start

    def start_late(self: process_executor._Worker, job: JobRun) -> bool:
        self._reader.join(_PATIENCE_S)
        return start(self, job)

    monkeypatch.setattr(process_executor, "spawn", stillborn)
    monkeypatch.setattr(process_executor._Worker, "start", start_late)
    executor.start(job_run(tmp_path, fence=7))

    report = reports.get(timeout=_PATIENCE_S)
    assert isinstance(report, Lost)
    assert (report.job_id, report.fence) == ("job", 7)


def test_a_dead_worker_is_replaced_for_the_next_job(
    executor: ProcessExecutor, reports: Reports, tmp_path: Path
) -> None:
    executor.start(job_run(tmp_path, prompt="wait"))
    executor.kill("job")
    assert isinstance(last_report(reports), Lost)

    executor.start(job_run(tmp_path, fence=2))

    report = last_report(reports)
    assert isinstance(report, Finished), report
    assert report.fence == 2


def test_a_worker_without_a_job_ends_and_the_next_job_gets_another(
    reports: Reports, tmp_path: Path
) -> None:
    factory = "tests.service.toy_runner:make_runner"
    executor = ProcessExecutor(tmp_path, factory, tmp_path / "worker.log", reports.put, idle_s=0.01)
    try:
        executor.start(job_run(tmp_path))
        assert isinstance(last_report(reports), Finished)
        first = executor._worker
        assert first is not None
        first.process.wait(_PATIENCE_S)

        executor.start(job_run(tmp_path, fence=2))

        report = last_report(reports)
        assert isinstance(report, Finished), report
        assert report.fence == 2
        assert executor._worker is not first
    finally:
        executor.close()


def test_a_prepared_worker_takes_the_first_job(
    executor: ProcessExecutor, reports: Reports, tmp_path: Path
) -> None:
    executor.prepare()
    prepared = executor._worker
    executor.prepare()
    executor.start(job_run(tmp_path))

    assert isinstance(last_report(reports), Finished)
    assert prepared is not None
    assert executor._worker is prepared


def test_a_worker_that_cannot_import_its_runner_tells_with_the_first_job(
    reports: Reports, tmp_path: Path
) -> None:
    executor = ProcessExecutor(tmp_path, "nowhere:make", tmp_path / "worker.log", reports.put)
    try:
        executor.prepare()
        executor.start(job_run(tmp_path))
        report = last_report(reports)
    finally:
        executor.close()

    assert isinstance(report, Failed)
    assert "ModuleNotFoundError" in report.error.sentence
