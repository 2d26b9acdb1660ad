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

from modelsheet.api.learn import LearnRequest
from modelsheet.api.types import ImageRef
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.base_model import BaseModel as StableDiffusion
from modelsheet.diffusion.models.clip_encoders import Clip, load_clip
from modelsheet.diffusion.models.cpu_threads import threads_for
from modelsheet.diffusion.training.learning_session import LearningEnvironment, LearningSession

_NO_BLOB = "0" * 64


class TrainingSpec(BaseModel):
    """One training on a folder of PNG files; base models lie in `data_dir`. Without `validated` no
    images are generated on the way and nothing is measured.
    """

    request: LearnRequest
    data_dir: Path
    pictures: Path
    out: Path
    validated: bool = True


def benchmark_request(
    class_noun: str, pictures: Sequence[Image.Image], **changes: object
) -> LearnRequest:
    """Make a request for pictures that are no blobs of the service; `changes` are its other
    fields.
    """
    images = [ImageRef(blob=_NO_BLOB, width=p.width, height=p.height) for p in pictures]
    fields = {"name": "benchmark", "class_noun": class_noun, "images": images, **changes}
    return LearnRequest.model_validate(fields)


@contextmanager
def standalone_session(
    base: StableDiffusion,
    request: LearnRequest,
    pictures: Sequence[Image.Image],
    folder: Path,
    clip: Clip | None = None,
) -> Iterator[LearningSession]:
    """Open a prepared session with its checkpoints and cached class images in `folder`; without
    `clip` nothing is measured.
    """
    environment = LearningEnvironment((), [request.class_noun], cache_dir=folder, clip=clip)
    with LearningSession(base, request, pictures, folder / "work", environment) as session:
        session.prepare()
        yield session


def train(spec: TrainingSpec) -> None:
    """Train as specified, with as many threads as the service takes, and write the adapter to
    `spec.out`.
    """
    base = load_base_model(spec.request.base_model, spec.data_dir, torch.device("cpu"))
    torch.set_num_threads(threads_for(base, torch.get_num_threads(), spec.data_dir))
    pictures = [Image.open(file).convert("RGBA") for file in sorted(spec.pictures.glob("*.png"))]
    clip = load_clip(base) if spec.validated else None
    with standalone_session(base, spec.request, pictures, spec.out, clip) as session:
        for _ in session.events() if spec.validated else session.trainer.steps():
            pass
        session.finish(spec.out)


if __name__ == "__main__":
    train(TrainingSpec.model_validate_json(Path(sys.argv[1]).read_text("utf-8")))
