"""The executor that has jobs carried out on the GPUs of a Ray cluster. It keeps the driver process
that speaks to Ray, and starts another when that one dies; Ray itself is not imported here.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import secrets
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from modelsheet.api.admin import WorkerView
from modelsheet.errors import ModelsheetError
from modelsheet.jobs.protocol import Directive, LoadedModels
from modelsheet.service.executors.environment import OFFLINE
from modelsheet.service.executors.framing import read_frame, write_frame
from modelsheet.service.executors.protocol import (
    Advanced,
    Assignment,
    JobReport,
    Lost,
    Room,
    Silent,
    Sink,
    StoppedEarly,
)
from modelsheet.service.executors.ray.job_files import needs_of
from modelsheet.service.executors.ray.messages import (
    FROM_DRIVER,
    Attempt,
    Close,
    Connected,
    FromDriver,
    Kill,
    Resume,
    Resumed,
    Staff,
    Tell,
)
from modelsheet.service.executors.watchdog import Patience
from modelsheet.service.executors.worker_log import WorkerLog
from modelsheet.service.queue.job import Job

_log = logging.getLogger(__name__)
_FIRST_ANSWER_S = 60.0  # from the cluster, when an earlier service left jobs running in it
_LONGEST_REST_S = 30.0
_MOST_NEEDS = 1000  # jobs of which we remember what they want in memory


@dataclass(frozen=True)
class Cluster:
    """Where a Ray cluster's head is, and how many GPUs of one machine each worker holds."""

    address: str
    gpus_per_worker: int = 1


class RayExecutor:
    """Jobs run on every GPU of the cluster, by the runner that `factory`
    ("package.module:attribute") makes there. `namespace` tells this service's actors from others'.
    """

    def __init__(
        self,
        data_dir: Path,
        factory: str,
        log_file: Path,
        sink: Sink,
        *,
        cluster: Cluster,
        namespace: str,
        patience: Patience | None = None,
    ) -> None:
        limits = json.dumps(asdict(patience or Patience()))
        where = [cluster.address, namespace, str(cluster.gpus_per_worker)]
        self._arguments = [str(data_dir), factory, *where, limits]
        self._data_dir = data_dir
        self._log = WorkerLog(log_file)
        self._sink = sink
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._workers: list[WorkerView] = []
        self._free: list[LoadedModels] = []  # what each free worker has in memory
        self._needs: OrderedDict[str, LoadedModels] = OrderedDict()  # by job
        self._assignments: dict[str, Assignment] = {}
        self._told: dict[str, Directive] = {}
        self._left: list[Attempt] | None = []  # None once the first Resume is answered or given up
        self._going_on: list[str] = []
        self._resumed = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep_driver, name="ray", daemon=True)

    @property
    def slots(self) -> int:
        return len(self._workers)

    def resume(self, attempts: Collection[tuple[str, int]]) -> Collection[str]:
        self._left = [Attempt(job_id=job_id, fence=fence) for job_id, fence in sorted(attempts)]
        self._thread.start()
        if not attempts:
            return ()
        self._resumed.wait(_FIRST_ANSWER_S)
        with self._lock:
            self._left = None
            return self._going_on

    def start(self, assignment: Assignment) -> None:
        with self._lock:
            self._assignments[assignment.job_id] = assignment
            self._told.pop(assignment.job_id, None)
            self._take_warmest(self._needs.pop(assignment.job_id, LoadedModels()))
        self._send(assignment)

    def tell(self, job_id: str, directive: Directive) -> None:
        with self._lock:
            self._told[job_id] = directive
        self._send(Tell(job_id=job_id, directive=directive))

    def kill(self, job_id: str) -> None:
        if not self._send(Kill(job_id=job_id)) or not self._workers:
            self._give_up(job_id, _out_of_reach)

    def warmth(self, job: Job) -> int:
        if job.id not in self._needs:
            self._needs[job.id] = needs_of(job.request, job.view.owner, self._data_dir)
            while len(self._needs) > _MOST_NEEDS:
                self._needs.popitem(last=False)
        needs = self._needs[job.id]
        with self._lock:
            return max((warm.covers(needs) for warm in self._free), default=0)

    def _take_warmest(self, needs: LoadedModels) -> None:
        """Count on one free worker less, until the driver says who is."""
        if self._free:
            self._free.remove(max(self._free, key=lambda warm: warm.covers(needs)))

    def workers(self) -> list[WorkerView]:
        return self._workers

    def close(self) -> None:
        """End the actors: whoever ends in order leaves no GPU's memory taken."""
        self._closed.set()
        self._send(Close())
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
        rest_s = 1.0
        while not self._closed.is_set():
            process = _spawn(self._arguments, self._data_dir)
            self._process = process
            assert process.stderr is not None
            words = self._log.follow(process.stderr)
            has_worked = self._follow(process)
            code = process.wait()
            self._set_workers([])
            if not self._closed.is_set():
                _log.warning("The Ray driver ended: status %s, %s", code, words.last_words())
                rest_s = 1.0 if has_worked else min(2 * rest_s, _LONGEST_REST_S)
                self._closed.wait(rest_s)

    def _follow(self, process: subprocess.Popen[bytes]) -> bool:
        """Take what the driver says until it ends; return whether it had reached the cluster."""
        assert process.stdout is not None
        assert process.stdin is not None
        has_worked = False
        try:
            while (frame := read_frame(process.stdout)) is not None:
                message = FROM_DRIVER.validate_json(frame)
                has_worked = has_worked or isinstance(message, Connected)
                self._receive(message)
        except ValidationError as error:
            _log.error("The Ray driver said something strange: %s", error)
            process.kill()
        finally:
            process.stdout.close()
            with self._lock:
                try:
                    process.stdin.close()
                except OSError:  # orders that it did not read
                    _log.info("The Ray driver left orders unread")
        return has_worked

    def _receive(self, message: FromDriver) -> None:
        match message:
            case Connected():
                self._send(Resume(attempts=self._wanted()))
            case Resumed():
                self._take_up(message.jobs)
            case Staff():
                with self._lock:
                    self._free = _warm_of_free(message)
                self._set_workers(message.workers)
            case Advanced() | Silent():
                if self._is_current(message):
                    self._sink(message)
            case _:
                self._pass_on_last(message)

    def _wanted(self) -> list[Attempt]:
        with self._lock:
            if self._left is not None:
                return self._left
            given = self._assignments.values()
            return [Attempt(job_id=each.job_id, fence=each.fence) for each in given]

    def _take_up(self, jobs: list[str]) -> None:
        """Follow what goes on, and give back what does not: it costs the job no attempt."""
        with self._lock:
            if self._left is not None:
                self._going_on, self._left = jobs, None
                self._resumed.set()
                return
            given = list(self._assignments.values())
        for assignment in given:
            if assignment.job_id not in jobs:
                self._give_up(assignment.job_id, _displaced)
                continue
            self._send(assignment)
            told = self._told.get(assignment.job_id)
            if told is not None:
                self._send(Tell(job_id=assignment.job_id, directive=told))
        for job_id in set(jobs) - {assignment.job_id for assignment in given}:
            self._send(Kill(job_id=job_id))  # it came too late

    def _pass_on_last(self, report: JobReport) -> None:
        if self._is_current(report):
            with self._lock:
                self._assignments.pop(report.job_id, None)
            self._sink(report)

    def _give_up(self, job_id: str, make_report: Callable[[Attempt], JobReport]) -> None:
        with self._lock:
            assignment = self._assignments.pop(job_id, None)
        if assignment is not None:
            self._sink(make_report(Attempt(job_id=job_id, fence=assignment.fence)))

    def _is_current(self, report: JobReport) -> bool:
        with self._lock:
            assignment = self._assignments.get(report.job_id)
        return assignment is not None and assignment.fence == report.fence

    def _set_workers(self, workers: list[WorkerView]) -> None:
        is_other = len(workers) != len(self._workers)
        self._workers = workers
        if is_other:
            self._sink(Room())

    def _send(self, order: BaseModel) -> bool:
        """Return whether the driver was there to hear it."""
        with self._lock:
            process = self._process
            if process is None or process.stdin is None or process.stdin.closed:
                return False
            try:
                write_frame(process.stdin, order.model_dump_json().encode())
            except (OSError, ValueError) as error:  # it is just ending
                _log.info("The Ray driver does not listen: %s", type(error).__name__)
                return False
        return True


def namespace_of(data_dir: Path) -> str:
    """Return the name by which this data folder's actors are known in a cluster. Raises
    ModelsheetError: Ray is not installed.
    """
    if importlib.util.find_spec("ray") is None:
        raise ModelsheetError("Ray is not installed. Run: pip install 'modelsheet[cluster]'")
    file = data_dir / "cluster-name"
    if not file.exists():
        file.write_text(f"modelsheet-{secrets.token_hex(8)}", encoding="utf-8")
    return file.read_text(encoding="utf-8")


def _warm_of_free(staff: Staff) -> list[LoadedModels]:
    both = zip(staff.workers, staff.adapters, strict=True)
    return [
        LoadedModels(one.base_model, tuple(adapters)) for one, adapters in both if not one.job_id
    ]


def _displaced(which: Attempt) -> StoppedEarly:
    """What became of an attempt that nobody follows any more: its job goes on elsewhere."""
    return StoppedEarly(job_id=which.job_id, fence=which.fence, cancelled=False)


def _out_of_reach(which: Attempt) -> Lost:
    return Lost(job_id=which.job_id, fence=which.fence, reason="the cluster is out of reach")


def _spawn(arguments: list[str], cwd: Path) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    module = "modelsheet.service.executors.ray.driver"
    return subprocess.Popen(
        [sys.executable, "-m", module, str(os.getpid()), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env={**os.environ, **OFFLINE, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C is for the service, which ends the driver in order
        umask=0o077 if os.name == "posix" else -1,
    )
