"""Learn a subject without the service, for benchmarks: pictures in, an adapter out.

`python -m modelsheet_benchmarks.standalone_training FILE` does it in a process of its own; FILE is
a TrainingSpec.
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
from modelsheet.diffusion.training.session import LearningEnvironment, LearningSession

_NO_BLOB = "0" * 64


class TrainingOptions(BaseModel):
    """The preset to learn with, and overrides. Without `validated` no images are generated on the
    way and nothing is measured.
    """

    class_noun: str
    preset: PresetName = "balanced"
    overrides: TrainingOverrides = TrainingOverrides()
    captions: list[str] | None = None
    seed: int = 0
    validated: bool = True


class TrainingSpec(BaseModel):
    """One training from a folder of PNG files; base models lie in `data_dir`."""

    base_model: str
    data_dir: Path
    pictures: Path
    out: Path
    options: TrainingOptions


@contextmanager
def standalone_session(
    base: StableDiffusion,
    pictures: Sequence[Image.Image],
    options: TrainingOptions,
    folder: Path,
    clip: Clip | None = None,
) -> Iterator[LearningSession]:
    """Open a prepared session whose checkpoints and cached class images go to `folder`; `clip`
    None is the base's own.
    """
    request = LearnRequest(
        name="benchmark",
        class_noun=options.class_noun,
        preset=options.preset,
        overrides=options.overrides,
        images=[ImageRef(blob=_NO_BLOB, width=p.width, height=p.height) for p in pictures],
        captions=options.captions,
        seed=options.seed,
    )
    clip = clip or (clip_of(base) if options.validated else None)
    environment = LearningEnvironment((), [options.class_noun], cache_dir=folder, clip=clip)
    with LearningSession(base, request, pictures, folder / "work", environment) as session:
        session.prepare()
        yield session


def train(spec: TrainingSpec) -> None:
    """Train as specified and write the adapter to `spec.out`."""
    base = load_base_model(spec.base_model, spec.data_dir, torch.device("cpu"))
    pictures = [Image.open(file).convert("RGBA") for file in sorted(spec.pictures.glob("*.png"))]
    with standalone_session(base, pictures, spec.options, spec.out) as session:
        for _ in session.events() if spec.options.validated else session.trainer.steps():
            pass
        session.finish(spec.out)


if __name__ == "__main__":
    train(TrainingSpec.model_validate_json(Path(sys.argv[1]).read_text("utf-8")))
