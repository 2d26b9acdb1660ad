"""Motions of the artist's own: grey figures as frames, each motion in a file of its own."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput
from ..i18n import tr
from ..image import BYTES_PER_PIXEL, Image

SUFFIX = ".motion.json"
MOST_FRAMES = 64
LONGEST_SIDE = 1024  # px of a figure
SLUG_LENGTH = 32


@dataclass(frozen=True)
class OwnMotion:
    """Figures of one view of a motion; `name` is its id, the same for its other views."""

    name: str
    title: str
    view: str
    frame_ms: int
    figures: tuple[Image, ...]


class OwnMotions:
    """Keeps the motions in a folder, which is made when the first one is saved."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[OwnMotion]:
        """Read all motions; a damaged file is left out."""
        read = (_read(path) for path in sorted(self._folder.glob(f"*{SUFFIX}")))
        return [one for one in read if one is not None]

    def save(self, title: str, view: str, frame_ms: int, figures: Sequence[Image]) -> OwnMotion:
        """Save a motion; it replaces the former one of this name and view. Raises BadInput."""
        motion = OwnMotion(_name_of(title), title, view, frame_ms, tuple(figures))
        content = {
            "version": 1,
            "name": motion.name,
            "title": title,
            "view": view,
            "frame_ms": frame_ms,
            "figures": [_encoded(image) for image in figures],
        }
        path = self._folder / f"{motion.name}-{view}{SUFFIX}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        except OSError as error:
            raise BadInput(
                tr("{path} cannot be written. Choose another folder.", path=path)
            ) from error
        return motion


def check_figures(figures: Sequence[Image]) -> str:
    """Return why these pictures are no motion, or an empty string."""
    if len(figures) > MOST_FRAMES:
        return tr(
            "These are {count} frames; a motion has at most {most}. Select fewer layers.",
            count=len(figures),
            most=MOST_FRAMES,
        )
    largest = max(max(image.width, image.height) for image in figures)
    if largest > LONGEST_SIDE:
        return tr(
            "The figures are {size} pixels large; reduce them to {most} or less.",
            size=largest,
            most=LONGEST_SIDE,
        )
    if any(image.is_opaque for image in figures):
        return tr("A figure has no transparency around it. Remove the background of each frame.")
    return ""


def _name_of(title: str) -> str:
    """Return an id of small letters, digits and hyphens, as the backend wants it."""
    word = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:SLUG_LENGTH].strip("-")
    number = zlib.crc32(title.encode())
    return word if word and title.isascii() else f"{word or 'motion'}-{number:08x}"[:40]


def _encoded(image: Image) -> dict[str, object]:
    pixels = base64.b64encode(zlib.compress(image.pixels, 9)).decode("ascii")
    return {"width": image.width, "height": image.height, "pixels": pixels}


def _read(path: Path) -> OwnMotion | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        figures = tuple(_decoded(one) for one in content["figures"][:MOST_FRAMES])
        name, title, view = (str(content[key]) for key in ("name", "title", "view"))
        return OwnMotion(name, title, view, int(content["frame_ms"]), figures)
    except (OSError, ValueError, KeyError, TypeError, zlib.error, AssertionError):
        return None


def _decoded(entry: dict[str, object]) -> Image:
    width, height = int(str(entry["width"])), int(str(entry["height"]))
    if not (0 < width <= LONGEST_SIDE and 0 < height <= LONGEST_SIDE):
        raise ValueError("size")
    try:
        packed = base64.b64decode(str(entry["pixels"]), validate=True)
    except binascii.Error as error:
        raise ValueError("pixels") from error
    size = width * height * BYTES_PER_PIXEL
    pixels = zlib.decompressobj().decompress(packed, size)
    return Image("", width, height, pixels)
