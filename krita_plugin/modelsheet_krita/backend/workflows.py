"""Sequences of client calls that one request of the docker needs; they run on its thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import RequestRefused
from ..i18n import tr
from ..image import BYTES_PER_PIXEL, Image
from .api_requests import (
    AnimateRequest,
    DescribeRequest,
    Drawing,
    ImageRef,
    LearnRequest,
    OwnAction,
)
from .api_responses import (
    AnimationFrame,
    GeneratedImage,
    JobView,
    PreparedImage,
    SubjectView,
)
from .client import Client

ARCHIVE = "archive"  # beside the LoRA formats: the whole subject


def upload_images(client: Client, images: Sequence[Image]) -> tuple[ImageRef, ...]:
    """Upload the images that the backend does not have yet; return references to all."""
    return tuple(
        ImageRef(client.put_blob(one.pixels), one.width, one.height, one.name) for one in images
    )


def describe(client: Client, images: Sequence[Image], base_model: str) -> JobView:
    """Submit a job that suggests class nouns and identifiers for the images."""
    return client.submit(DescribeRequest(base_model, upload_images(client, images)))


def prepare(client: Client, images: Sequence[Image], base_model: str) -> JobView:
    """Submit a job that returns the images as the base model would learn them."""
    references = upload_images(client, images)
    return client.submit(DescribeRequest(base_model, references, nouns=False, prepared=True))


def fetch_prepared(client: Client, prepared: Sequence[PreparedImage]) -> list[Image]:
    """Download images as the base model would learn them."""
    return [_fetch(client, one.blob, one.width, one.height, "") for one in prepared]


def learn(client: Client, images: Sequence[Image], request: LearnRequest) -> JobView:
    """Upload the images and submit the request with references to them."""
    return client.submit(replace(request, images=upload_images(client, images)))


def add_unlearnt(client: Client, images: Sequence[Image], request: LearnRequest) -> SubjectView:
    """Upload the images and make a subject of them that is not learnt yet."""
    return client.add_unlearnt(replace(request, images=upload_images(client, images)))


def animate(
    client: Client,
    request: AnimateRequest,
    drawings: Sequence[tuple[str, Image]],
    motions: Sequence[tuple[OwnAction, Sequence[Image]]],
) -> JobView:
    """Upload the drawings, each with its view, and the own motions' figures; submit the request."""
    references = upload_images(client, [image for _, image in drawings])
    own = [replace(one, mannequins=upload_images(client, images)) for one, images in motions]
    pairs = zip(references, (view for view, _ in drawings))
    drawn = tuple(Drawing(reference, view) for reference, view in pairs)
    return client.submit(replace(request, drawings=drawn, own_actions=tuple(own)))


def fetch_frames(client: Client, frames: Sequence[AnimationFrame]) -> list[Image]:
    """Download pictures of an animation; each is named by its view."""
    return [_fetch(client, one.blob, one.width, one.height, one.view) for one in frames]


def export(client: Client, subject_id: str, file_format: str, path: Path) -> int:
    """Write a subject's file, whole or not at all; return its size in bytes."""
    if file_format == ARCHIVE:
        content = client.subject_archive(subject_id)
    else:
        content = client.lora(subject_id, file_format)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise RequestRefused(
            tr("{path} cannot be written. Choose another folder.", path=path)
        ) from error
    return len(content)


def move_to_front(client: Client, job_id: str, same_kind: set[str]) -> tuple[str, ...]:
    """Move a waiting job before all others of its kind; return the ids in their new order."""
    others = [one for one in client.queue() if one in same_kind and one != job_id]
    if others:
        client.move_job(job_id, before=others[0])
    return client.queue()


def move(client: Client, job_id: str, before: str | None) -> tuple[str, ...]:
    """Move a waiting job before another, or to the end; return the ids in their new order."""
    client.move_job(job_id, before)
    return client.queue()


def fetch_results(client: Client, images: Sequence[GeneratedImage]) -> list[Image]:
    """Download generated images; each is named by its prompt."""
    return [_fetch(client, one.blob, one.width, one.height, one.prompt) for one in images]


def fetch_job_images(
    client: Client, job: JobView, blobs: set[str]
) -> tuple[list[GeneratedImage], list[Image]]:
    """Download those of a job's images that are in `blobs`; return them with their recipes."""
    whole = client.job(job.id) if job.abridged else job
    images = [one for one in (whole.result.images if whole.result else ()) if one.blob in blobs]
    return images, fetch_results(client, images)


def fetch_references(client: Client, references: Sequence[ImageRef]) -> list[Image]:
    """Download the images that a subject was learnt from."""
    return [_fetch(client, one.blob, one.width, one.height, one.name) for one in references]


def _fetch(client: Client, blob: str, width: int, height: int, name: str) -> Image:
    pixels = client.get_blob(blob)
    if len(pixels) != width * height * BYTES_PER_PIXEL:
        raise RequestRefused(tr("The backend sent a picture that is not whole. Generate again."))
    return Image(name, width, height, pixels)
