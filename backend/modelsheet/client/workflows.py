"""The journeys seen from a client: pictures in, a subject out; a prompt in, pictures out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from modelsheet.api.describe import ClassNounGuess, DescribeRequest, DescribeResult
from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GeneratedImage, GenerateResult
from modelsheet.api.jobs import JobRequest, JobResult
from modelsheet.api.learn import LearnRequest, LearnResult, PresetName, TrainingOverrides
from modelsheet.api.subjects import SubjectView
from modelsheet.client.client import BackendClient
from modelsheet.errors import InvalidImages
from modelsheet.imaging.openraster import read_document, read_layers, render_layer
from modelsheet.imaging.rgba import is_empty, read_image

RunJob = Callable[[BackendClient, JobRequest, str], JobResult]
_DOCUMENT = ".ora"
_KRITA_DOCUMENT = ".kra"


@dataclass(frozen=True)
class ReferenceImage:
    """One reference; its name says what it shows beyond the subject itself."""

    name: str
    image: Image.Image


@dataclass(frozen=True)
class LearnWish:
    """What the artist says of a new subject. An empty identifier is chosen by the backend."""

    name: str
    class_noun: str
    identifier: str = ""
    preset: PresetName = "balanced"
    base_model: str = "sprite32"
    seed: int = 0
    overrides: TrainingOverrides = TrainingOverrides()


@dataclass(frozen=True)
class Painting:
    """One result with what made it."""

    image: Image.Image
    made_by: GeneratedImage


def read_references(paths: Sequence[Path]) -> list[ReferenceImage]:
    """Read documents layer by layer, each on its canvas, and other files as one picture each.

    Raises InvalidImages, also when a picture is empty.
    """
    pictures = [picture for path in paths for picture in _read(path)]
    if not pictures:
        raise InvalidImages("There is no layer to learn from. Draw the subject on a layer first.")
    for picture in pictures:
        if is_empty(picture.image):
            raise InvalidImages(f"{picture.name!r} is empty: nothing can be seen. Leave it out.")
    return pictures


def _read(path: Path) -> list[ReferenceImage]:
    """A picture's file name says what it shows, like a layer's: holding_sword.png."""
    if path.suffix.lower() in (_DOCUMENT, _KRITA_DOCUMENT):
        size = read_document(path).size
        return [
            ReferenceImage(layer.name, render_layer(layer, size)) for layer in read_layers(path)
        ]
    return [ReferenceImage(path.stem.replace("_", " "), read_image(path))]


def guess_class_nouns(
    client: BackendClient, pictures: Sequence[ReferenceImage], base_model: str, carry_out: RunJob
) -> list[ClassNounGuess]:
    """Ask what the pictures show, the most probable first. Raises the job's own error."""
    images = [client.upload(picture.image, picture.name) for picture in pictures]
    request = DescribeRequest(base_model=base_model, images=images)
    result = carry_out(client, request, "Looking at the pictures")
    assert isinstance(result, DescribeResult)
    return result.class_nouns


def learn(
    client: BackendClient, pictures: Sequence[ReferenceImage], wish: LearnWish, carry_out: RunJob
) -> SubjectView:
    """Send the pictures, learn the subject and give it. Raises the job's own error."""
    request = LearnRequest(
        name=wish.name,
        class_noun=wish.class_noun,
        identifier=wish.identifier,
        preset=wish.preset,
        base_model=wish.base_model,
        seed=wish.seed,
        overrides=wish.overrides,
        images=[client.upload(picture.image, picture.name) for picture in pictures],
    )
    result = carry_out(client, request, f"Learning {wish.name}")
    assert isinstance(result, LearnResult)
    return client.subject(result.subject_id)


@dataclass(frozen=True)
class Outcome:
    """What a generate job gave: the pictures, and of a grid or of poses one sheet of all."""

    paintings: list[Painting]
    sheet: Image.Image | None
    columns: int
    warnings: list[str]


def generate(client: BackendClient, request: GenerateRequest, carry_out: RunJob) -> list[Painting]:
    """Paint the pictures and fetch them. Raises the job's own error."""
    return paint(client, request, carry_out).paintings


def paint(client: BackendClient, request: GenerateRequest, carry_out: RunJob) -> Outcome:
    """Paint the pictures and fetch them, with the sheet and what is to be said. Raises the job's
    own error.
    """
    result = carry_out(client, request, f"Painting “{request.prompt}”")
    assert isinstance(result, GenerateResult)
    return Outcome(
        paintings=[Painting(client.picture(made_by), made_by) for made_by in result.images],
        sheet=client.picture(result.sheet) if result.sheet else None,
        columns=result.columns,
        warnings=result.warnings,
    )
