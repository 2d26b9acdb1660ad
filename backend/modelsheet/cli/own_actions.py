"""Read actions of one's own for animate: grey figures in a folder of pictures or on a sheet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from PIL import Image

from modelsheet.api.animate import OwnAction, ViewName
from modelsheet.client.client import BackendClient
from modelsheet.errors import InvalidRequest
from modelsheet.imaging.rgba import read_image

OwnFigures = dict[tuple[str, ViewName], list[Image.Image]]  # by name of the action, and view
_VIEWS: tuple[ViewName, ...] = get_args(ViewName)


def read_own_figures(given: Sequence[str]) -> OwnFigures:
    """Read NAME=PATH, a PNG or a folder of PNGs, each a figure or a row of square ones.

    A file's name says the view, else it is the front. Raises InvalidRequest, InvalidImages.
    """
    found: OwnFigures = {}
    for each in given:
        name, _, text = each.partition("=")
        path = Path(text)
        if not (name and text):
            raise InvalidRequest(f"--own-action {each} says no pictures. Say it as NAME=FOLDER.")
        files = sorted(path.glob("*.png"), key=_natural_order) if path.is_dir() else [path]
        if not files:
            raise InvalidRequest(
                f"There is no PNG in {path}. Save the grey figures there, a file for each frame."
            )
        for file in files:
            found.setdefault((name, _view_of(file)), []).extend(_frames(read_image(file)))
    return found


def upload_own_actions(client: BackendClient, figures: OwnFigures) -> list[OwnAction]:
    """Upload the figures. Raises InvalidImages, ValidationError."""
    return [
        OwnAction(name=name, view=view, mannequins=[client.upload(frame) for frame in frames])
        for (name, view), frames in figures.items()
    ]


def _frames(sheet: Image.Image) -> list[Image.Image]:
    """Cut a row of square frames apart; anything else is one frame."""
    count, rest = divmod(sheet.width, sheet.height)
    if rest or not count:
        return [sheet]
    side = sheet.height
    return [sheet.crop((k * side, 0, (k + 1) * side, side)) for k in range(count)]


def _view_of(path: Path) -> ViewName:
    words = re.split(r"[^a-z]+", path.stem.lower())
    return next((view for view in _VIEWS if view in words), "front")


def _natural_order(path: Path) -> list[tuple[str, int]]:
    """Return a key that puts walk-10 after walk-9."""
    return [(word, int(number or 0)) for word, number in re.findall(r"(\D*)(\d*)", path.stem)]
