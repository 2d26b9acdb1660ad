"""Learning one subject in several processes of a machine, each on a graphics card of its own.

The process that has the job probes, saves and says how far it is. Its helpers, `parallel FILE RANK`
with FILE an Errand, begin from the same request, pictures and checkpoint and take the same steps;
they know nothing that would be lost with them, and end when their input does.
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
from modelsheet.diffusion.models.base_model import load_base_model
from modelsheet.diffusion.models.library_logging import silence_libraries
from modelsheet.diffusion.training.process_group import company
from modelsheet.diffusion.training.session import Learning, Surroundings, opened
from modelsheet.errors import InvalidRequest, WorkerCrashed

_MEETING = "meeting"
_LOOK_EVERY_S = 0.2


class Errand(BaseModel):
    """What a helper learns. `folder` has the name and the checkpoint to go on from, `room` the
    pictures as PNG files; `data_dir` is where base models lie.
    """

    request: LearnRequest
    processes: int
    device: str
    data_dir: Path
    folder: Path
    cache: Path
    room: Path


@contextmanager
def helped(
    learning: Learning, errand: Errand, pictures: Sequence[Image.Image], check: Callable[[], None]
) -> Iterator[None]:
    """Learn with helpers while the block runs; they find `pictures` in the errand's empty room.

    `check` is called while they load, and may raise. Raises WorkerCrashed: one of them ended.
    """
    for number, picture in enumerate(pictures):
        picture.save(errand.room / f"{number:02d}.png")
    file = errand.room / "errand.json"
    file.write_text(errand.model_dump_json(), "utf-8")
    ranks = range(1, errand.processes)
    with ExitStack() as stack:
        helpers = {rank: stack.enter_context(_helper(file, rank)) for rank in ranks}
        for rank, helper in helpers.items():
            _wait_until_ready(helper, _mark(errand.room, rank), check)
        training = learning.training
        with company(0, errand.processes, errand.room / _MEETING) as training.company:
            training.require_company_alike()
            try:
                yield
            finally:
                for helper in helpers.values():  # before they miss us, and say so in the log
                    helper.kill()


def require_cards(device: torch.device, processes: int) -> None:
    """Raises InvalidRequest: the processes would have no graphics card each."""
    if device.type == "cuda" and torch.cuda.device_count() < processes:
        raise InvalidRequest(
            f"Learning in {processes} processes needs a graphics card for each, and there are "
            f"{torch.cuda.device_count()}. Set `processes` to that, or leave it out."
        )


@contextmanager
def _helper(file: Path, rank: int) -> Iterator[subprocess.Popen[bytes]]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    with subprocess.Popen(
        [sys.executable, "-m", "modelsheet.diffusion.training.multi_gpu", str(file), str(rank)],
        stdin=subprocess.PIPE,
        cwd=file.parent,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _wait_until_ready(
    helper: subprocess.Popen[bytes], mark: Path, check: Callable[[], None]
) -> None:
    while not mark.exists():
        if helper.poll() is not None:
            raise WorkerCrashed(
                "one of the processes that should learn together did not begin; the worker's log "
                "has its reason"
            )
        check()
        time.sleep(_LOOK_EVERY_S)


def help_out(errand: Errand, rank: int) -> None:
    """Take the same steps as the process that has the job, until the last."""
    place = f"cuda:{rank}" if errand.device == "cuda" else errand.device
    if errand.device == "cuda":
        torch.cuda.set_device(rank)
    base = load_base_model(errand.request.base_model, errand.data_dir, torch.device(place))
    pictures = [Image.open(file).convert("RGBA") for file in sorted(errand.room.glob("*.png"))]
    around = Surroundings((), (), errand.cache, None)

    def make(undo: ExitStack) -> Learning:
        return Learning(base, errand.request, pictures, errand.folder, around, undo)

    with opened(make, base) as learning:
        _mark(errand.room, rank).touch()
        with company(rank, errand.processes, errand.room / _MEETING) as learning.training.company:
            learning.training.require_company_alike()
            for _ in learning.training.steps():
                pass


def _mark(room: Path, rank: int) -> Path:
    """What a helper leaves when it is ready."""
    return room / f"ready-{rank}"


def main() -> None:
    silence_libraries()
    threading.Thread(target=_end_with_input, daemon=True).start()
    help_out(Errand.model_validate_json(Path(sys.argv[1]).read_bytes()), int(sys.argv[2]))


def _end_with_input() -> None:
    while os.read(0, 1):  # not sys.stdin, whose lock the interpreter wants at its own end
        pass
    os._exit(0)  # nobody waits for the next step


if __name__ == "__main__":
    main()
