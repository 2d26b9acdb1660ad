"""The process that connects the service to Ray: `driver PARENT_PID DATA_DIR FACTORY ADDRESS
NAMESPACE GPUS_PER_WORKER WATCHDOG_LIMITS`.

Ray ends the process of a driver that has lost the cluster's head, and that must not be the service
with its database. This process may die: its jobs go on in their actors, and the next driver finds
them.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel

from modelsheet.api.jobs import JobError
from modelsheet.api.models import DownloadRequest
from modelsheet.errors import NotFound
from modelsheet.operating_system import die_with_parent
from modelsheet.service.executors.framing import read_frame, write_frame
from modelsheet.service.executors.protocol import Failed, JobRun, RunId, SetDirective, StoppedEarly
from modelsheet.service.executors.ray.actor import GpuWorker
from modelsheet.service.executors.ray.actor_handle import ActorHandle
from modelsheet.service.executors.ray.job_files import JobFiles, collect_job_files
from modelsheet.service.executors.ray.messages import (
    DRIVER_COMMAND,
    CloseActors,
    ClusterConnected,
    DriverCommand,
    KillRun,
    ResumeRuns,
    RunsResumed,
    WorkerList,
)
from modelsheet.service.executors.watchdog import WatchdogLimits
from modelsheet.service.executors.worker_main import take_over_pipes

_log = logging.getLogger(__name__)
_GPU_CHECK_INTERVAL_S = 2.0  # for GPUs that joined the cluster
_ANSWER_S = 30.0  # for actors that an earlier driver left
_RETRY_S = 3.0
_NO_DOWNLOADS = JobError(
    code="invalid-request",
    sentence="Each GPU machine keeps its own models: run “modelsheet models download” on all of "
    "them, and on this one.",
)


class Driver:
    """The actors of one cluster, and the pipe to the service."""

    def __init__(
        self, data_dir: Path, factory: str, gpus: int, limits: WatchdogLimits, reports: IO[bytes]
    ) -> None:
        self._data_dir = data_dir
        self._factory = factory
        self._gpus = gpus
        self._limits = limits
        self._reports = reports
        self._writing = threading.Lock()
        self._reporting = threading.Lock()
        self._actors: dict[str, ActorHandle] = {}
        self._going_on: dict[str, ActorHandle] = {}  # by job: runs to be followed
        self._ray: Any = None

    def connect(self, address: str, namespace: str) -> None:
        """Connect to the cluster, retrying without end."""
        import ray

        while True:
            try:
                ray.init(
                    address=address, namespace=namespace, log_to_driver=True, logging_level="WARN"
                )
                break
            except (ConnectionError, RuntimeError, ValueError) as error:
                _log.warning("The Ray cluster at %s does not answer: %s", address, error)
                ray.shutdown()
                time.sleep(_RETRY_S)
        self._ray = ray
        self.send(ClusterConnected())

    def send(self, message: BaseModel) -> None:
        """Send a message to the service."""
        with self._writing:
            write_frame(self._reports, message.model_dump_json().encode())

    def handle(self, command: DriverCommand) -> None:
        """Carry out a command of the service."""
        match command:
            case JobRun():
                self._start(command)
            case ResumeRuns():
                self._resume(command.runs)
            case SetDirective():
                self._with_actor(command.job_id, lambda actor: actor.tell(command.directive))
            case KillRun():
                self._with_actor(command.job_id, lambda actor: actor.kill("it did not listen"))
            case CloseActors():
                for actor in self._actors.values():
                    actor.close()
                os._exit(0)

    def watch_cluster(self) -> None:
        """Keep one actor for each GPU, or for each group of GPUs that a worker holds, forever."""
        while True:
            for number in range(count_workers(self._ray.nodes(), self._gpus)):
                self._actor(f"gpu-{number}")
            self.send_workers()
            time.sleep(_GPU_CHECK_INTERVAL_S)

    def send_workers(self) -> None:
        """Send the list of workers; called before any report that follows from its change."""
        with self._reporting:  # so that no older list follows a newer one
            actors = [actor for actor in list(self._actors.values()) if actor.is_usable]
            adapters = [list(actor.warm.adapters) for actor in actors]
            self.send(WorkerList(workers=[actor.view() for actor in actors], adapters=adapters))

    def _actor(self, name: str) -> ActorHandle:
        if name not in self._actors:
            self._actors[name] = ActorHandle(
                name,
                self._ray,
                self._make_actor,
                self._data_dir,
                self._limits,
                self.send,
                self.send_workers,
            )
        return self._actors[name]

    def _make_actor(self, name: str) -> Any:
        """Return the Ray actor of that name. Ray places it on a GPU, and on another one if that is
        lost; the job store decides about the run that was lost with it.
        """
        options = {
            "name": name,
            "get_if_exists": True,
            "lifetime": "detached",
            "num_gpus": self._gpus,
            "num_cpus": 0,
            "max_restarts": -1,
            "max_task_retries": 0,
            "max_concurrency": 4,
        }
        return self._ray.remote(GpuWorker).options(**options).remote(name, self._factory)

    def _resume(self, runs: list[RunId]) -> None:
        """Find the runs that go on in an earlier driver's actors; kill the actors of others."""
        names = self._ray.util.list_named_actors()
        actors = [self._actor(name) for name in names]
        deadline = time.monotonic() + _ANSWER_S
        for actor in actors:
            actor.has_answered.wait(max(0.0, deadline - time.monotonic()))
            run = actor.state.run if actor.state is not None else None
            if run is not None and run in runs:
                self._going_on[run.job_id] = actor
            elif actor.state is not None and actor.state.is_busy:
                actor.kill("no service wants its result")
        self.send(RunsResumed(jobs=sorted(self._going_on)))
        self.send_workers()
        threading.Thread(target=self.watch_cluster, name="cluster", daemon=True).start()

    def _start(self, run: JobRun) -> None:
        actor = self._going_on.pop(run.job_id, None)
        if actor is not None:
            actor.follow(run)
            self.send_workers()
            return
        which = {"job_id": run.job_id, "fence": run.fence}
        if isinstance(run.request, DownloadRequest):
            self.send(Failed.model_validate({**which, "error": _NO_DOWNLOADS}))
            return
        try:
            job_files = collect_job_files(run, self._data_dir)
        except NotFound as error:
            self.send(Failed.model_validate({**which, "error": JobError.of(error)}))
            return
        actor = warmest_actor([one for one in self._actors.values() if one.is_free], job_files)
        if actor is not None and actor.start(run, job_files):
            self.send_workers()
        else:
            _log.info("Job %s found no free actor; one was lost a moment ago", run.job_id)
            self.send(StoppedEarly.model_validate({**which, "cancelled": False}))

    def _with_actor(self, job_id: str, act: Callable[[ActorHandle], None]) -> None:
        """Call `act` with the actor that runs a job, if there is one."""
        for actor in [*self._going_on.values(), *self._actors.values()]:
            newest = actor.state.run if actor.state is not None else None
            if job_id in (actor.job_id, newest and newest.job_id):
                act(actor)
                return


def count_workers(nodes: list[dict[str, Any]], gpus: int) -> int:
    """Return how many workers with `gpus` GPUs each fit on the nodes, as Ray describes them."""
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    return sum(int(resources.get("GPU", 0)) // gpus for resources in alive)


def warmest_actor(free: list[ActorHandle], job_files: JobFiles) -> ActorHandle | None:
    """Return the actor that has most of the job's models in memory; else one without models, so
    that the others keep theirs.
    """

    def warmth(actor: ActorHandle) -> tuple[int, bool, int]:
        warm = actor.warm
        return warm.covers(job_files.needs), not warm.base_model, -len(warm.adapters)

    return max(free, key=warmth, default=None)


def main() -> None:
    """Run the driver until its standard input ends."""
    parent, data_dir, factory, address, namespace, gpus, limits = sys.argv[1:8]
    die_with_parent(int(parent))
    commands, reports = take_over_pipes()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    watchdog_limits = WatchdogLimits(**json.loads(limits))
    driver = Driver(Path(data_dir), factory, int(gpus), watchdog_limits, reports)
    threading.Thread(target=driver.connect, args=(address, namespace), daemon=True).start()
    while (frame := read_frame(commands)) is not None:
        driver.handle(DRIVER_COMMAND.validate_json(frame))
    os._exit(0)  # the service has ended; its jobs go on in their actors


if __name__ == "__main__":
    main()
