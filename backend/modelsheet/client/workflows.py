"""Learn a subject or generate images through the API: upload, run the job, fetch the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image

from modelsheet.api.animate import AnimateRequest, AnimateResult
from modelsheet.api.describe_images import (
    ClassNounGuess,
    ClassNounMatch,
    DescribeRequest,
    DescribeResult,
)
from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GenerateResult
from modelsheet.api.jobs import JobRequest, JobResult
from modelsheet.api.learn import LearnRequest, LearnResult
from modelsheet.api.subjects import SubjectView
from modelsheet.api.types import ImageRef
from modelsheet.client.client import BackendClient
from modelsheet.errors import InvalidImages
from modelsheet.imaging.openraster import read_document, render_layer, top_layers
from modelsheet.imaging.rgba import is_empty, limit_sides, read_image

# Runs a job under a title to its end and returns its result; raises the job's own error.
RunJob = Callable[[BackendClient, JobRequest, str], JobResult]
_OPENRASTER = ".ora"
_KRITA = ".kra"
_LONGEST_NAME = 300  # as the API has it
_LONGEST_SIDE = 2048  # px, as the plugin sends them: no base model looks at more
_MOST_IMAGES = 64  # of a learn request


@dataclass(frozen=True)
class ReferenceImage:
    """An image to learn from; its name says what it shows beyond the subject itself."""

    name: str
    image: Image.Image


def read_references(paths: Sequence[Path]) -> list[ReferenceImage]:
    """Read documents layer by layer, each on its canvas, and other files as one image each.

    Raises InvalidImages, also when an image is empty.
    """
    references = [reference for path in paths for reference in _read(path)]
    if not references:
        raise InvalidImages("There is no layer to learn from. Draw the subject on a layer first.")
    if len(references) > _MOST_IMAGES:
        raise InvalidImages(
            f"There are {len(references)} pictures, and at most {_MOST_IMAGES} can be learnt from. "
            "Leave some out, or merge layers."
        )
    for reference in references:
        _check_name(reference.name)
        if is_empty(reference.image):
            raise InvalidImages(f"{reference.name!r} is empty: nothing can be seen. Leave it out.")
    return references


def _check_name(name: str) -> None:
    if len(name) > _LONGEST_NAME:
        raise InvalidImages(
            f"The name of the layer {name[:20]!r}… has {len(name)} characters. Shorten it to "
            f"{_LONGEST_NAME}."
        )
    if not name.isascii() and any("\ud800" <= character <= "\udfff" for character in name):
        raise InvalidImages(f"The name of the picture {name!r} is not in UTF-8. Rename the file.")


def _read(path: Path) -> list[ReferenceImage]:
    """Read a file's references, scaled down to what base models look at.

    An image file's name is used like a layer's: holding_sword.png.
    """
    if path.is_dir():
        raise InvalidImages(f"{path} is a folder. Give the pictures in it: {path}/*.png")
    if path.suffix.lower() in (_OPENRASTER, _KRITA):
        document = read_document(path)
        return [
            ReferenceImage(
                layer.name, limit_sides(render_layer(layer, document.size), _LONGEST_SIDE)
            )
            for layer in top_layers(document)
        ]
    image = limit_sides(read_image(path), _LONGEST_SIDE)
    return [ReferenceImage(path.stem.replace("_", " "), image)]


def upload_references(
    client: BackendClient, references: Sequence[ReferenceImage]
) -> list[ImageRef]:
    """Upload the images to learn from, with their names."""
    return [client.upload(reference.image, reference.name) for reference in references]


def guess_class_nouns(
    client: BackendClient, images: list[ImageRef], base_model: str, run_job: RunJob
) -> list[ClassNounGuess]:
    """Guess the class noun of uploaded images, at most one. Raises the job's error."""
    request = DescribeRequest(base_model=base_model, images=images)
    result = run_job(client, request, "Looking at the pictures")
    assert isinstance(result, DescribeResult)
    return result.class_nouns


def match_class_noun(client: BackendClient, noun: str, base_model: str) -> ClassNounMatch:
    """Return what a base model learns a noun as. Raises NotFound: no such base model."""
    query = urlencode({"base_model": base_model, "noun": noun})
    return client.call("GET", f"/v1/class-nouns/match?{query}", ClassNounMatch)


def learn(client: BackendClient, request: LearnRequest, run_job: RunJob) -> SubjectView:
    """Learn a subject and return it. Raises the job's own error."""
    result = run_job(client, request, f"Learning {request.name}")
    assert isinstance(result, LearnResult)
    return client.subject(result.subject_id)


def generate(client: BackendClient, request: GenerateRequest, run_job: RunJob) -> GenerateResult:
    """Generate images; `fetch_images` downloads them. Raises the job's own error."""
    result = run_job(client, request, f"Painting “{request.prompt}”")
    assert isinstance(result, GenerateResult)
    return result


def animate(client: BackendClient, request: AnimateRequest, run_job: RunJob) -> AnimateResult:
    """Animate a character. Raises the job's own error."""
    actions = [*request.actions, *(own.name for own in request.own_actions)]
    title = f"Animating {', '.join([request.subject or 'the drawing', *actions])}"
    result = run_job(client, request, title)
    assert isinstance(result, AnimateResult)
    return result


def fetch_images(client: BackendClient, result: GenerateResult) -> list[Image.Image]:
    """Download the images of a result, in its order."""
    return [client.fetch_image(generated) for generated in result.images]
