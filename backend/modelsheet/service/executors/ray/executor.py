"""Run jobs on the GPUs of a Ray cluster, through a driver process that is started again when it
dies. Ray itself is not imported here.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import secrets
import subprocess
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from modelsheet.api.admin import WorkerView
from modelsheet.errors import ModelsheetError
from modelsheet.jobs.protocol import Directive, LoadedModels
from modelsheet.module_process import module_command, search_path
from modelsheet.operating_system import process_options
from modelsheet.service.executors.environment import OFFLINE
from modelsheet.service.executors.framing import read_frame, write_frame
from modelsheet.service.executors.protocol import (
    JobReport,
    JobRun,
    Lost,
    Progressed,
    ReportHandler,
    RunId,
    SetDirective,
    SlotsChanged,
    Stalled,
    StoppedEarly,
)
from modelsheet.service.executors.ray.job_files import models_needed
from modelsheet.service.executors.ray.messages import (
    FROM_DRIVER,
    CloseActors,
    ClusterConnected,
    FromDriver,
    KillRun,
    ResumeRuns,
    RunsResumed,
    WorkerList,
)
from modelsheet.service.executors.watchdog import WatchdogLimits
from modelsheet.service.executors.worker_log import WorkerLog
from modelsheet.service.queue.job import Job

_log = logging.getLogger(__name__)
_FIRST_ANSWER_S = 60.0  # from the cluster, when an earlier service left jobs running in it
_LONGEST_RETRY_S = 30.0
_MAX_NEEDS = 1000  # jobs whose models are remembered


@dataclass(frozen=True)
class Cluster:
    """The address of a Ray cluster's head, and how many GPUs of one machine each worker holds."""

    address: str
    gpus_per_worker: int = 1


class RayExecutor:
    """Run jobs on every GPU of the cluster, with the runner that `factory`
    ("package.module:attribute") makes there. `namespace` separates the actors of services.
    """

    def __init__(
        self,
        data_dir: Path,
        factory: str,
        log_file: Path,
        on_report: ReportHandler,
        *,
        cluster: Cluster,
        namespace: str,
        limits: WatchdogLimits | None = None,
    ) -> None:
        place = [cluster.address, namespace, str(cluster.gpus_per_worker)]
        watchdog_limits = json.dumps(asdict(limits or WatchdogLimits()))
        self._arguments = [str(data_dir), factory, *place, watchdog_limits]
        self._data_dir = data_dir
        self._log = WorkerLog(log_file)
        self._on_report = on_report
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._workers: list[WorkerView] = []
        self._free: list[LoadedModels] = []  # the models in memory of each free worker
        self._needs: OrderedDict[str, LoadedModels] = OrderedDict()  # the models that each job uses
        self._runs: dict[str, JobRun] = {}  # by job
        self._directives: dict[str, Directive] = {}
        self._to_resume: list[RunId] | None = []  # None after the first RunsResumed or its timeout
        self._going_on: list[str] = []
        self._resumed = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep_driver, name="ray", daemon=True)

    @property
    def slots(self) -> int:
        return len(self._workers)

    def resume(self, runs: Collection[tuple[str, int]]) -> Collection[str]:
        self._to_resume = [RunId(job_id=job_id, fence=fence) for job_id, fence in sorted(runs)]
        self._thread.start()
        if not runs:
            return ()
        self._resumed.wait(_FIRST_ANSWER_S)
        with self._lock:
            self._to_resume = None
            return self._going_on

    def prepare(self) -> None:
        """Do nothing: the cluster's workers are there."""

    def start(self, run: JobRun) -> None:
        with self._lock:
            self._runs[run.job_id] = run
            self._directives.pop(run.job_id, None)
            self._take_warmest(self._needs.pop(run.job_id, LoadedModels()))
        self._send(run)

    def tell(self, job_id: str, directive: Directive) -> None:
        with self._lock:
            run = self._runs.get(job_id)
            self._directives[job_id] = directive
        if run is not None:
            self._send(SetDirective(job_id=job_id, fence=run.fence, directive=directive))

    def kill(self, job_id: str) -> None:
        if not self._send(KillRun(job_id=job_id)) or not self._workers:
            self._give_up(job_id, _out_of_reach)

    def warmth(self, job: Job) -> int:
        if job.id not in self._needs:
            self._needs[job.id] = models_needed(job.request, job.view.owner, self._data_dir)
            while len(self._needs) > _MAX_NEEDS:
                self._needs.popitem(last=False)
        needs = self._needs[job.id]
        with self._lock:
            return max((warm.covers(needs) for warm in self._free), default=0)

    def _take_warmest(self, needs: LoadedModels) -> None:
        """Remove the worker that will take the job from the free ones, until the driver reports
        them.
        """
        if self._free:
            self._free.remove(max(self._free, key=lambda warm: warm.covers(needs)))

    def workers(self) -> list[WorkerView]:
        return self._workers

    def close(self) -> None:
        """End the actors, so that their GPU memory is freed."""
        self._closed.set()
        self._send(CloseActors())
        process = self._process
        if process is not None:
            try:
                process.wait(timeout=10.0)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._thread.is_alive():
            self._thread.join(timeout=10.0)
        self._log.close()

    def _keep_driver(self) -> None:
        retry_s = 1.0
        while not self._closed.is_set():
            process = _spawn(self._arguments, self._data_dir)
            self._process = process
            assert process.stderr is not None
            stderr = self._log.follow(process.stderr)
            has_connected = self._follow(process)
            code = process.wait()
            self._set_workers([])
            if not self._closed.is_set():
                _log.warning("The Ray driver ended: status %s, %s", code, stderr.last_error())
                retry_s = 1.0 if has_connected else min(2 * retry_s, _LONGEST_RETRY_S)
                self._closed.wait(retry_s)

    def _follow(self, process: subprocess.Popen[bytes]) -> bool:
        """Handle the driver's messages until it ends; return True if it had connected."""
        assert process.stdout is not None
        assert process.stdin is not None
        has_connected = False
        try:
            while (frame := read_frame(process.stdout)) is not None:
                message = FROM_DRIVER.validate_json(frame)
                has_connected = has_connected or isinstance(message, ClusterConnected)
                self._receive(message)
        except ValidationError as error:
            _log.error("The Ray driver sent an invalid message: %s", error)
            process.kill()
        finally:
            process.stdout.close()
            with self._lock:
                try:
                    process.stdin.close()
                except OSError:  # commands that it did not read
                    _log.info("The Ray driver left commands unread")
        return has_connected

    def _receive(self, message: FromDriver) -> None:
        match message:
            case ClusterConnected():
                self._send(ResumeRuns(runs=self._current_runs()))
            case RunsResumed():
                self._runs_resumed(message.jobs)
            case WorkerList():
                with self._lock:
                    self._free = _warm_of_free(message)
                self._set_workers(message.workers)
            case Progressed() | Stalled():
                if self._is_current(message):
                    self._on_report(message)
            case _:
                self._end_run(message)

    def _current_runs(self) -> list[RunId]:
        with self._lock:
            if self._to_resume is not None:
                return self._to_resume
            runs = self._runs.values()
            return [RunId(job_id=run.job_id, fence=run.fence) for run in runs]

    def _runs_resumed(self, jobs: list[str]) -> None:
        """Follow the runs that go on; report the others as stopped, which costs no attempt."""
        with self._lock:
            if self._to_resume is not None:
                self._going_on, self._to_resume = jobs, None
                self._resumed.set()
                return
            runs = list(self._runs.values())
        for run in runs:
            if run.job_id not in jobs:
                self._give_up(run.job_id, _stopped)
                continue
            self._send(run)
            directive = self._directives.get(run.job_id)
            if directive is not None:
                self._send(SetDirective(job_id=run.job_id, fence=run.fence, directive=directive))
        for job_id in set(jobs) - {run.job_id for run in runs}:
            self._send(KillRun(job_id=job_id))  # found after the timeout of resume

    def _end_run(self, report: JobReport) -> None:
        if self._is_current(report):
            with self._lock:
                self._runs.pop(report.job_id, None)
            self._on_report(report)

    def _give_up(self, job_id: str, make_report: Callable[[RunId], JobReport]) -> None:
        with self._lock:
            run = self._runs.pop(job_id, None)
        if run is not None:
            self._on_report(make_report(RunId(job_id=job_id, fence=run.fence)))

    def _is_current(self, report: JobReport) -> bool:
        with self._lock:
            run = self._runs.get(report.job_id)
        return run is not None and run.fence == report.fence

    def _set_workers(self, workers: list[WorkerView]) -> None:
        has_changed = len(workers) != len(self._workers)
        self._workers = workers
        if has_changed:
            self._on_report(SlotsChanged())

    def _send(self, command: BaseModel) -> bool:
        """Send a command; return False if no driver runs."""
        with self._lock:
            process = self._process
            if process is None or process.stdin is None or process.stdin.closed:
                return False
            try:
                write_frame(process.stdin, command.model_dump_json().encode())
            except (OSError, ValueError) as error:  # the driver is just ending
                _log.info("The Ray driver does not listen: %s", type(error).__name__)
                return False
        return True


def namespace_of(data_dir: Path) -> str:
    """Return the Ray namespace of this data folder's actors. Raises ModelsheetError: Ray is not
    installed.
    """
    if importlib.util.find_spec("ray") is None:
        raise ModelsheetError("Ray is not installed. Run: pip install 'modelsheet[cluster]'")
    file = data_dir / "cluster-name"
    if not file.exists():
        file.write_text(f"modelsheet-{secrets.token_hex(8)}", encoding="utf-8")
    return file.read_text(encoding="utf-8")


def _warm_of_free(message: WorkerList) -> list[LoadedModels]:
    both = zip(message.workers, message.adapters, strict=True)
    return [
        LoadedModels(one.base_model, tuple(adapters)) for one, adapters in both if not one.job_id
    ]


def _stopped(run: RunId) -> StoppedEarly:
    """Return the report of a run that does not go on: its job is queued again."""
    return StoppedEarly(job_id=run.job_id, fence=run.fence, cancelled=False)


def _out_of_reach(run: RunId) -> Lost:
    return Lost(job_id=run.job_id, fence=run.fence, reason="the cluster is out of reach")


def _spawn(arguments: list[str], cwd: Path) -> subprocess.Popen[bytes]:
    module = "modelsheet.service.executors.ray.driver"
    return subprocess.Popen(
        module_command(module, str(os.getpid()), *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env={**os.environ, **OFFLINE, "RAY_USAGE_STATS_ENABLED": "0", **search_path()},
        **process_options(),  # Ctrl-C goes to the service, which ends the driver in order
    )
