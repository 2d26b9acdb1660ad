"""The process that speaks to Ray for the service: `ray_driver PARENT_PID DATA_DIR FACTORY ADDRESS
NAMESPACE GPUS_PER_WORKER PATIENCE`.

Ray ends the process of a driver that has lost the cluster's head, and that must not be the service
with its ledger. This one may die: its jobs go on in their actors, and the next one finds them.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel

from modelsheet.api.jobs import JobError
from modelsheet.api.models import DownloadRequest
from modelsheet.errors import NotFound
from modelsheet.service.executors.framing import read_frame, write_frame
from modelsheet.service.executors.protocol import Assignment, Failed, StoppedEarly
from modelsheet.service.executors.ray.actor import GpuWorker
from modelsheet.service.executors.ray.actor_handle import Seat
from modelsheet.service.executors.ray.job_files import Luggage, pack
from modelsheet.service.executors.ray.messages import (
    ORDERS,
    Attempt,
    Close,
    Connected,
    Kill,
    Order,
    Resume,
    Resumed,
    Staff,
    Tell,
)
from modelsheet.service.executors.watchdog import Patience
from modelsheet.service.executors.worker_process import die_with_parent, take_over_pipes

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 2.0  # for GPUs that joined the cluster
_ANSWER_S = 30.0  # for actors that an earlier driver left
_RETRY_S = 3.0
_NO_DOWNLOADS = JobError(
    code="invalid-request",
    sentence="Each GPU machine keeps its own models: run “modelsheet models download” on all of "
    "them, and on this one.",
)


class Driver:
    """The seats of one cluster, and the pipe to the service."""

    def __init__(
        self, data_dir: Path, factory: str, gpus: int, patience: Patience, reports: IO[bytes]
    ) -> None:
        self._data_dir = data_dir
        self._factory = factory
        self._gpus = gpus
        self._patience = patience
        self._reports = reports
        self._writing = threading.Lock()
        self._telling = threading.Lock()
        self._seats: dict[str, Seat] = {}
        self._left: dict[str, Seat] = {}  # by job: attempts that wait to be followed
        self._ray: Any = None

    def connect(self, address: str, namespace: str) -> None:
        """Join the cluster, however long that takes."""
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
        self.send(Connected())

    def send(self, message: BaseModel) -> None:
        with self._writing:
            write_frame(self._reports, message.model_dump_json().encode())

    def obey(self, order: Order) -> None:
        match order:
            case Assignment():
                self._start(order)
            case Resume():
                self._resume(order.attempts)
            case Tell():
                self._seat_of(order.job_id, lambda seat: seat.tell(order.directive))
            case Kill():
                self._seat_of(order.job_id, lambda seat: seat.end("it did not listen"))
            case Close():
                for seat in self._seats.values():
                    seat.close()
                os._exit(0)

    def keep_seats(self) -> None:
        """Have a seat for each GPU, or as many GPUs of a machine as a worker holds, for ever."""
        while True:
            for number in range(room_for_workers(self._ray.nodes(), self._gpus)):
                self._add_seat(f"gpu-{number}")
            self.tell_staff()
            time.sleep(_LOOK_EVERY_S)

    def tell_staff(self) -> None:
        """Tell the service who is there; said before what else the change means."""
        with self._telling:  # or an older list would come after a newer one
            seats = [seat for seat in list(self._seats.values()) if seat.is_usable]
            adapters = [list(seat.warm.adapters) for seat in seats]
            self.send(Staff(workers=[seat.view() for seat in seats], adapters=adapters))

    def _add_seat(self, name: str) -> Seat:
        if name not in self._seats:
            seat = Seat(
                name,
                self._ray,
                self._make_actor,
                self._data_dir,
                self._patience,
                self.send,
                self.tell_staff,
            )
            self._seats[name] = seat
        return self._seats[name]

    def _make_actor(self, name: str) -> Any:
        """Return the actor of that name. Ray finds a GPU for it, and another one if that is lost;
        what was under way then is the ledger's to decide.
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

    def _resume(self, attempts: list[Attempt]) -> None:
        """Find what goes on in the actors that an earlier driver left; end what nobody wants."""
        names = self._ray.util.list_named_actors()
        seats = [self._add_seat(name) for name in names]
        deadline = time.monotonic() + _ANSWER_S
        for seat in seats:
            seat.has_answered.wait(max(0.0, deadline - time.monotonic()))
            attempt = seat.hello.attempt if seat.hello is not None else None
            if attempt is not None and attempt in attempts:
                self._left[attempt.job_id] = seat
            elif seat.hello is not None and seat.hello.is_busy:
                seat.end("nobody wants its result")
        self.send(Resumed(jobs=sorted(self._left)))
        self.tell_staff()
        threading.Thread(target=self.keep_seats, name="seats", daemon=True).start()

    def _start(self, assignment: Assignment) -> None:
        seat = self._left.pop(assignment.job_id, None)
        if seat is not None:
            seat.follow(assignment)
            self.tell_staff()
            return
        which = {"job_id": assignment.job_id, "fence": assignment.fence}
        if isinstance(assignment.request, DownloadRequest):
            self.send(Failed.model_validate({**which, "error": _NO_DOWNLOADS}))
            return
        try:
            luggage = pack(assignment, self._data_dir)
        except NotFound as error:
            problem = JobError(code=error.code, sentence=str(error))
            self.send(Failed.model_validate({**which, "error": problem}))
            return
        seat = warmest([one for one in self._seats.values() if one.is_free], luggage)
        if seat is not None and seat.start(assignment, luggage):
            self.tell_staff()
        else:
            _log.info("Job %s found no free actor; one was lost a moment ago", assignment.job_id)
            self.send(StoppedEarly.model_validate({**which, "cancelled": False}))

    def _seat_of(self, job_id: str, act: Any) -> None:
        for seat in [*self._left.values(), *self._seats.values()]:
            if job_id in (
                seat.job_id,
                seat.hello and seat.hello.attempt and seat.hello.attempt.job_id,
            ):
                act(seat)
                return


def room_for_workers(nodes: list[dict[str, Any]], gpus: int) -> int:
    """How many workers with so many GPUs each these nodes, as Ray describes them, have room for."""
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    return sum(int(resources.get("GPU", 0)) // gpus for resources in alive)


def warmest(free: list[Seat], luggage: Luggage) -> Seat | None:
    """Choose the seat that has most of what the job needs in memory; else an empty one, so that
    others stay warm.
    """

    def warmth(seat: Seat) -> tuple[int, bool, int]:
        warm = seat.warm
        return warm.covers(luggage.needs), not warm.base_model, -len(warm.adapters)

    return max(free, key=warmth, default=None)


def main() -> None:
    parent, data_dir, factory, address, namespace, gpus, patience = sys.argv[1:8]
    die_with_parent(int(parent))
    orders, reports = take_over_pipes()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    limits = Patience(**json.loads(patience))
    driver = Driver(Path(data_dir), factory, int(gpus), limits, reports)
    threading.Thread(target=driver.connect, args=(address, namespace), daemon=True).start()
    while (frame := read_frame(orders)) is not None:
        driver.obey(ORDERS.validate_json(frame))
    os._exit(0)  # the service is gone; its jobs go on in their actors


if __name__ == "__main__":
    main()
