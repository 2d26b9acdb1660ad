"""Learning without a service: pictures in, an adapter out. What benchmarks time and compare.

`python -m modelsheet_benchmarks.standalone_training FILE` does it in a process of its own;
FILE is an `Errand`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from PIL import Image
from pydantic import BaseModel

from modelsheet.api.learn import LearnRequest, PresetName, TrainingOverrides
from modelsheet.api.types import ImageRef
from modelsheet.diffusion.models.base_model import BaseModel as StableDiffusion
from modelsheet.diffusion.models.base_model import load_base_model
from modelsheet.diffusion.models.clip import Clip, clip_of
from modelsheet.diffusion.training.session import LearningSession, LearningEnvironment, opened

_NO_BLOB = "0" * 64


class Wish(BaseModel):
    """How to learn; the numbers that are not overridden are the preset's. Where it is not `probed`
    nothing is painted on the way, and likeness not measured.
    """

    class_noun: str
    preset: PresetName = "balanced"
    overrides: TrainingOverrides = TrainingOverrides()
    captions: list[str] | None = None
    seed: int = 0
    probed: bool = True


class Errand(BaseModel):
    """One learning from a folder of PNG files; `data_dir` is where base models lie."""

    base_model: str
    data_dir: Path
    pictures: Path
    out: Path
    wish: Wish


@contextmanager
def learning_of(
    base: StableDiffusion,
    pictures: Sequence[Image.Image],
    wish: Wish,
    folder: Path,
    clip: Clip | None = None,
) -> Iterator[LearningSession]:
    """Open a learning whose checkpoints and cached class pictures go to `folder`; `clip` None is
    the base's own.
    """
    request = LearnRequest(
        name="benchmark",
        class_noun=wish.class_noun,
        preset=wish.preset,
        overrides=wish.overrides,
        images=[ImageRef(blob=_NO_BLOB, width=p.width, height=p.height) for p in pictures],
        captions=wish.captions,
        seed=wish.seed,
    )
    eyes = clip or (clip_of(base) if wish.probed else None)
    around = LearningEnvironment((), [wish.class_noun], cache=folder, clip=eyes)
    with opened(
        lambda undo: LearningSession(base, request, pictures, folder / "work", around, undo), base
    ) as learning:
        yield learning


def carry_out(errand: Errand) -> None:
    base = load_base_model(errand.base_model, errand.data_dir, torch.device("cpu"))
    pictures = [Image.open(file).convert("RGBA") for file in sorted(errand.pictures.glob("*.png"))]
    with learning_of(base, pictures, errand.wish, errand.out) as learning:
        for _ in learning.events() if errand.wish.probed else learning.training.steps():
            pass
        learning.finish(errand.out)


if __name__ == "__main__":
    carry_out(Errand.model_validate_json(Path(sys.argv[1]).read_text("utf-8")))
