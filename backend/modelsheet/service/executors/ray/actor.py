"""The actor's side of a job: one for each GPU, with the models of its last job in memory.

It is a plain class; Ray makes an actor of it. It calls nobody: the driver asks it for news.
"""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import threading
import time
from pathlib import Path

import psutil

import modelsheet
from modelsheet.base_models.user_models import REGISTRY
from modelsheet.jobs.protocol import Directive, LoadedModels, Runner, RunnerFactory
from modelsheet.service.executors.environment import OFFLINE
from modelsheet.service.executors.job_context import carry_out
from modelsheet.service.executors.protocol import Assignment
from modelsheet.service.executors.ray.job_context import Item, Outbox, RemoteAttempt, SentBlobs
from modelsheet.service.executors.ray.job_files import Files, keep_only, write_files
from modelsheet.service.executors.ray.messages import Attempt as Which
from modelsheet.service.executors.ray.messages import Hello
from modelsheet.settings import Settings

_log = logging.getLogger(__name__)
_LONELY_S = 900.0  # without a driver, then the models are put away


class GpuWorker:
    """One GPU: carries out one job at a time on a thread, keeps its runner, and answers the driver
    meanwhile.
    """

    def __init__(self, name: str, factory: str) -> None:
        os.environ.update(OFFLINE)
        os.umask(0o077)
        settings = Settings.from_environment(os.environ)
        self._folder = _own_folder(settings.data_dir, name)
        self._factory = factory
        self._outbox = Outbox()
        self._blobs = SentBlobs(self._folder / "blobs")
        self._attempt: RemoteAttempt | None = None
        self._thread: threading.Thread | None = None
        self._runner: Runner | None = None
        self._subjects: list[str] = []
        self._asked_at = time.monotonic()
        threading.Thread(target=self._watch, name="lonely", daemon=True).start()

    def hello(self) -> str:
        """Return a Hello as JSON."""
        attempt, warm = self._attempt, self._warm
        return Hello(
            version=modelsheet.__version__,
            node=os.uname().nodename,
            attempt=Which(job_id=attempt.job_id, fence=attempt.fence) if attempt else None,
            is_busy=self._is_busy,
            base_model=warm.base_model,
            adapters=list(warm.adapters),
            subjects=self._subjects,
        ).model_dump_json()

    def start(self, order: str, files: Files, subjects: dict[str, Files]) -> bool:
        """Begin an Assignment given as JSON; False if another is under way. A subject without
        files is there already.
        """
        if self._is_busy:
            return False
        self._asked_at = time.monotonic()
        self._outbox.clear()
        given = Assignment.model_validate_json(order)
        self._unpack(files, subjects)
        here = {
            "checkpoint_dir": str(self._folder / "checkpoint"),
            "staging_dir": str(self._folder / "staging"),
        }
        self._attempt = RemoteAttempt(given.model_copy(update=here), self._blobs, self._outbox)
        self._thread = threading.Thread(target=self._carry_out, args=(self._attempt,), daemon=True)
        self._thread.start()
        return True

    def tell(self, job_id: str, fence: int, directive: str, begun: bool | None) -> None:
        """Pass a directive on. Ray calls this once `begun`, the answer to start, is there."""
        attempt = self._attempt
        if attempt is not None and (attempt.job_id, attempt.fence) == (job_id, fence):
            attempt.tell(Directive(directive))

    def news(self, after: int, wait_s: float) -> tuple[str, list[str], list[Item]]:
        """Return which base model and adapters are in memory, and what happened since item `after`,
        which the driver has; wait for the first.
        """
        self._asked_at = time.monotonic()
        if self._attempt is not None and self._is_busy:
            self._attempt.flush()
        items = self._outbox.read(after, wait_s)
        warm = self._warm
        return warm.base_model, list(warm.adapters), items

    @property
    def _warm(self) -> LoadedModels:
        return self._runner.loaded_models if self._runner is not None else LoadedModels()

    @property
    def _is_busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _carry_out(self, attempt: RemoteAttempt) -> None:
        attempt.finish(carry_out(attempt, self._warm_runner))

    def _warm_runner(self) -> Runner:
        if self._runner is None:
            module, _, attribute = self._factory.partition(":")
            make_runner: RunnerFactory = getattr(importlib.import_module(module), attribute)
            self._runner = make_runner(self._folder)
        return self._runner

    def _unpack(self, files: Files, subjects: dict[str, Files]) -> None:
        for name in ("checkpoint", "staging", "blobs"):
            shutil.rmtree(self._folder / name, ignore_errors=True)
        for name in ("checkpoint", "staging"):
            (self._folder / name).mkdir()
        pictures = {name for name in files if name.startswith("blobs/")}
        for name in pictures:
            self._blobs.write(files[name])
        self._blobs.take_fresh()
        write_files(self._folder, {name: files[name] for name in files.keys() - pictures})
        wanted = {key.partition(":")[0] for key in subjects}
        shelf = self._folder / "subjects"
        for folder in shelf.glob("*"):
            if folder.name not in wanted:
                shutil.rmtree(folder, ignore_errors=True)
        for key, fresh in subjects.items():
            if fresh:
                keep_only(shelf / key.partition(":")[0], ())
                write_files(self._folder, fresh)
        self._subjects = list(subjects)

    def _watch(self) -> None:
        """A GPU's memory is not kept for a service that is gone; Ray starts the actor anew."""
        pulse = threading.Event()
        while not pulse.wait(_LONELY_S / 10):
            lonely = time.monotonic() - self._asked_at > _LONELY_S
            if lonely and self._runner is not None and not self._is_busy:
                _log.warning("Nobody has asked for anything; the models are put away")
                os._exit(0)


def _own_folder(data_dir: Path, name: str) -> Path:
    """Make this process' folder on the machine; models and caches are the machine's own."""
    root = data_dir / "cluster"
    for old in root.glob(f"{name}.*"):
        if not psutil.pid_exists(int(old.name.rpartition(".")[2])):
            shutil.rmtree(old, ignore_errors=True)
    folder = root / f"{name}.{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for shared in ("models", "cache"):
        (data_dir / shared).mkdir(parents=True, exist_ok=True)
        (folder / shared).symlink_to(data_dir / shared, target_is_directory=True)
    (folder / REGISTRY).symlink_to(data_dir / REGISTRY)
    return folder
