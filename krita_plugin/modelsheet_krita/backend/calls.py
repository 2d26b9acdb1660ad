"""What the link's thread does with a client on the artist's behalf."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import RequestRefused
from ..i18n import tr
from ..image import BYTES_PER_PIXEL, Picture
from ..ui.learn_dialog import LearnWish
from .api_requests import DescribeRequest, ImageRef, LearnRequest
from .api_responses import GeneratedImage, JobView
from .client import Client

PARCEL = "parcel"  # beside the LoRA formats: the whole subject


def send_pictures(client: Client, pictures: Sequence[Picture]) -> tuple[ImageRef, ...]:
    """Send what the backend does not have yet; return the references a request needs."""
    return tuple(
        ImageRef(client.put_blob(one.pixels), one.width, one.height, one.name) for one in pictures
    )


def describe(client: Client, pictures: Sequence[Picture], base_model: str) -> JobView:
    images = send_pictures(client, pictures)
    return client.submit(DescribeRequest(base_model, images))


def learn(
    client: Client, pictures: Sequence[Picture], captions: tuple[str, ...], wish: LearnWish
) -> JobView:
    images = send_pictures(client, pictures)
    return client.submit(
        LearnRequest(
            name=wish.name,
            class_noun=wish.class_noun,
            identifier=wish.identifier,
            preset=wish.preset,
            base_model=wish.base_model,
            images=images,
            captions=captions,
        )
    )


def export(client: Client, subject_id: str, file_format: str, path: Path) -> int:
    """Write a subject's file, whole or not at all; return its size in bytes."""
    whole = file_format == PARCEL
    content = client.parcel(subject_id) if whole else client.lora(subject_id, file_format)
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


def do_next(client: Client, job_id: str, kin: set[str]) -> tuple[str, ...]:
    """Move a waiting job before all others of its kind; return the ids in their new order."""
    waiting = [one for one in client.waiting() if one in kin and one != job_id]
    if waiting:
        client.move_job(job_id, before=waiting[0])
    return client.waiting()


def move(client: Client, job_id: str, before: str | None) -> tuple[str, ...]:
    """Move a waiting job before another, or behind all; return the ids in their new order."""
    client.move_job(job_id, before)
    return client.waiting()


def fetch_results(client: Client, images: Sequence[GeneratedImage]) -> list[Picture]:
    return [
        _checked(client.picture(image.blob), image.width, image.height, image.prompt)
        for image in images
    ]


def fetch_references(client: Client, references: Sequence[ImageRef]) -> list[Picture]:
    return [
        _checked(client.picture(ref.blob), ref.width, ref.height, ref.name) for ref in references
    ]


def _checked(pixels: bytes, width: int, height: int, name: str) -> Picture:
    if len(pixels) != width * height * BYTES_PER_PIXEL:
        raise RequestRefused(tr("The backend sent a picture that is not whole. Generate again."))
    return Picture(name, width, height, pixels)
