"""The Ray actor that runs jobs on one worker's GPUs and keeps the models of its last job in memory.

It is a plain class, of which Ray makes an actor. It makes no calls: the driver polls it.
"""

from __future__ import annotations

import importlib
import logging
import os
import platform
import shutil
import threading
import time
from pathlib import Path

import psutil

import modelsheet
from modelsheet.base_models.user_models import REGISTRY_NAME
from modelsheet.jobs.protocol import Directive, LoadedModels, Runner, RunnerFactory
from modelsheet.operating_system import keep_new_files_private
from modelsheet.service.executors.environment import worker_environment
from modelsheet.service.executors.job_context import execute_run
from modelsheet.service.executors.protocol import JobRun, RunId
from modelsheet.service.executors.ray.job_context import (
    Outbox,
    OutboxItem,
    RayJobContext,
    TrackedBlobStore,
)
from modelsheet.service.executors.ray.job_files import Files, keep_only, write_files
from modelsheet.service.executors.ray.messages import ActorState
from modelsheet.settings import Settings

_log = logging.getLogger(__name__)
_NO_DRIVER_S = 900.0  # without a call, then the process ends to free GPU memory


class GpuWorker:
    """Run one job at a time on a thread, keep its runner, and answer the driver meanwhile."""

    def __init__(self, name: str, factory: str) -> None:
        os.environ.update(worker_environment(os.environ))
        keep_new_files_private()
        settings = Settings.from_environment(os.environ)
        self._folder = _own_folder(settings.data_dir, name)
        self._factory = factory
        self._outbox = Outbox()
        self._blobs = TrackedBlobStore(self._folder / "blobs")
        self._context: RayJobContext | None = None
        self._thread: threading.Thread | None = None
        self._runner: Runner | None = None
        self._subjects: list[str] = []
        self._called_at = time.monotonic()
        threading.Thread(target=self._watch, name="driver-watch", daemon=True).start()

    def state(self) -> str:
        """Return an ActorState as JSON."""
        context, warm = self._context, self._warm
        return ActorState(
            version=modelsheet.__version__,
            node=platform.node(),
            run=RunId(job_id=context.job_id, fence=context.fence) if context else None,
            is_busy=self._is_busy,
            base_model=warm.base_model,
            adapters=list(warm.adapters),
            subjects=self._subjects,
        ).model_dump_json()

    def start(self, run: str, files: Files, subjects: dict[str, Files]) -> bool:
        """Start a JobRun given as JSON; return False if another job runs. A subject without files
        is here already.
        """
        if self._is_busy:
            return False
        self._called_at = time.monotonic()
        self._outbox.clear()
        given = JobRun.model_validate_json(run)
        self._unpack(files, subjects)
        folders = {
            "checkpoint_dir": str(self._folder / "checkpoint"),
            "staging_dir": str(self._folder / "staging"),
        }
        self._context = RayJobContext(given.model_copy(update=folders), self._blobs, self._outbox)
        self._thread = threading.Thread(target=self._execute, args=(self._context,), daemon=True)
        self._thread.start()
        return True

    def tell(self, job_id: str, fence: int, directive: str, begun: bool | None) -> None:
        """Pass a directive on. Ray calls this once `begun`, the result of start, is ready."""
        context = self._context
        if context is not None and (context.job_id, context.fence) == (job_id, fence):
            context.tell(Directive(directive))

    def poll(self, after: int, wait_s: float) -> tuple[str, list[str], list[OutboxItem]]:
        """Return the base model and adapters in memory, and the outbox items after number `after`;
        wait up to `wait_s` seconds for the first.
        """
        self._called_at = time.monotonic()
        if self._context is not None and self._is_busy:
            self._context.flush()
        items = self._outbox.read(after, wait_s)
        warm = self._warm
        return warm.base_model, list(warm.adapters), items

    @property
    def _warm(self) -> LoadedModels:
        return self._runner.loaded_models if self._runner is not None else LoadedModels()

    @property
    def _is_busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _execute(self, context: RayJobContext) -> None:
        context.finish(execute_run(context, self._warm_runner))

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
        self._blobs.take_unsent()
        write_files(self._folder, {name: files[name] for name in files.keys() - pictures})
        subject_ids = {key.partition(":")[0] for key in subjects}
        root = self._folder / "subjects"
        for folder in root.glob("*"):
            if folder.name not in subject_ids:
                shutil.rmtree(folder, ignore_errors=True)
        for key, fresh in subjects.items():
            if fresh:
                keep_only(root / key.partition(":")[0], ())
                write_files(self._folder, fresh)
        self._subjects = list(subjects)

    def _watch(self) -> None:
        """End the process after long without a driver, to free the GPU; Ray starts it anew."""
        timer = threading.Event()
        while not timer.wait(_NO_DRIVER_S / 10):
            unused = time.monotonic() - self._called_at > _NO_DRIVER_S
            if unused and self._runner is not None and not self._is_busy:
                _log.warning("No driver has called for long; the process ends to free the GPU")
                os._exit(0)


def _own_folder(data_dir: Path, name: str) -> Path:
    """Make this process' folder; models and caches are links to those of the machine."""
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
    (folder / REGISTRY_NAME).symlink_to(data_dir / REGISTRY_NAME)
    return folder
