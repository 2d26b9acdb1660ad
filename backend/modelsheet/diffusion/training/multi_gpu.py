"""Train one subject in several processes of one machine, each on a GPU of its own.

Rank 0, which has the job, validates, saves and reports. The helpers, `multi_gpu FILE RANK` with
FILE a HelperSpec, begin from the same request, pictures and checkpoint and take the same steps;
nothing is lost with them, and they end when their standard input does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from PIL import Image
from pydantic import BaseModel

from modelsheet.api.learn import LearnRequest
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.library_logging import silence_libraries
from modelsheet.diffusion.training.learning_session import LearningEnvironment, LearningSession
from modelsheet.diffusion.training.process_group import joined_process_group
from modelsheet.errors import InvalidRequest, WorkerCrashed
from modelsheet.imaging.rgba import read_image
from modelsheet.module_process import module_command, search_path

_POLL_INTERVAL_S = 0.2


class HelperSpec(BaseModel):
    """The task of the helper processes. `checkpoint_dir` has the naming and the checkpoint to
    resume from, `exchange_dir` the pictures as PNG files; base models lie in `data_dir`.
    """

    request: LearnRequest
    processes: int
    device: str
    data_dir: Path
    checkpoint_dir: Path
    cache_dir: Path
    exchange_dir: Path

    @property
    def rendezvous(self) -> Path:
        return self.exchange_dir / "rendezvous"

    def ready_file(self, rank: int) -> Path:
        """Return the path of the empty file that a helper writes when it has loaded."""
        return self.exchange_dir / f"ready-{rank}"


@contextmanager
def helper_processes(
    session: LearningSession,
    spec: HelperSpec,
    pictures: Sequence[Image.Image],
    check: Callable[[], None],
) -> Iterator[None]:
    """Train with helpers while the block runs; `pictures` go to them by the spec's empty
    `exchange_dir`.

    `check` is called while they load, and may raise. Raises WorkerCrashed when a helper ends.
    """
    for number, picture in enumerate(pictures):
        picture.save(spec.exchange_dir / f"{number:02d}.png")
    file = spec.exchange_dir / "spec.json"
    file.write_text(spec.model_dump_json(), "utf-8")
    ranks = range(1, spec.processes)
    with ExitStack() as stack:
        helpers = {rank: stack.enter_context(_helper(file, rank)) for rank in ranks}
        for rank, helper in helpers.items():
            _wait_until_ready(helper, spec.ready_file(rank), check)
        with (
            joined_process_group(0, spec.processes, spec.rendezvous) as group,
            session.trainer.data_parallel(group),
        ):
            try:
                yield
            finally:
                for helper in helpers.values():  # before they log that this process has left
                    helper.kill()


def require_gpus(device: torch.device, processes: int) -> None:
    """Raise InvalidRequest where there are fewer GPUs than processes."""
    if device.type == "cuda" and torch.cuda.device_count() < processes:
        raise InvalidRequest(
            f"Learning in {processes} processes needs a graphics card for each, and there are "
            f"{torch.cuda.device_count()}. Set `processes` to that, or leave it out."
        )


@contextmanager
def _helper(file: Path, rank: int) -> Iterator[subprocess.Popen[bytes]]:
    module = "modelsheet.diffusion.training.multi_gpu"
    with subprocess.Popen(
        module_command(module, str(file), str(rank)),
        stdin=subprocess.PIPE,
        cwd=file.parent,
        env={**os.environ, **search_path()},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _wait_until_ready(
    helper: subprocess.Popen[bytes], ready_file: Path, check: Callable[[], None]
) -> None:
    while not ready_file.exists():
        if helper.poll() is not None:
            raise WorkerCrashed(
                "one of the processes that should learn together did not begin; the worker's log "
                "has its reason"
            )
        check()
        time.sleep(_POLL_INTERVAL_S)


def run_helper(spec: HelperSpec, rank: int) -> None:
    """Take the same training steps as rank 0, until the last."""
    device = torch.device(f"cuda:{rank}" if spec.device == "cuda" else spec.device)
    if device.type == "cuda":
        torch.cuda.set_device(rank)
    base = load_base_model(spec.request.base_model, spec.data_dir, device)
    images = [read_image(file) for file in sorted(spec.exchange_dir.glob("*.png"))]
    environment = LearningEnvironment((), (), spec.cache_dir, None)
    with LearningSession(base, spec.request, images, spec.checkpoint_dir, environment) as session:
        session.prepare()
        spec.ready_file(rank).touch()
        with (
            joined_process_group(rank, spec.processes, spec.rendezvous) as group,
            session.trainer.data_parallel(group),
        ):
            for _ in session.trainer.steps():
                pass


def main() -> None:
    silence_libraries()
    threading.Thread(target=_exit_at_end_of_input, daemon=True).start()
    run_helper(HelperSpec.model_validate_json(Path(sys.argv[1]).read_bytes()), int(sys.argv[2]))


def _exit_at_end_of_input() -> None:
    while os.read(0, 1):  # not sys.stdin, whose lock the interpreter wants at its own end
        pass
    os._exit(0)  # rank 0 has ended, so that no further step is wanted


if __name__ == "__main__":
    main()
