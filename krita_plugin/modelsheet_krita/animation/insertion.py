"""Insert key views and animations into a document: where each goes, and the tree of layers."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..document.document import OpenDocument
from ..document.geometry import moved_inside
from ..document.kra_animation_writer import AnimatedLayer
from ..document.layer_writer import AnimatedGroup
from ..document.model_sheets import ModelSheet
from ..i18n import tr
from ..image import Image, Placement
from ..results.sprite_sheet import Strip, draw_sheet
from ..view_names import title_of
from .frame_times import key_times

GAP = 8  # the part of a picture's width that lies between two of them

Corner = tuple[int, int]


@dataclass(frozen=True)
class Layout:
    """Corners of the views in the document; `is_row`: beside each other, else on one place."""

    corners: Mapping[str, Corner]
    is_row: bool


def lay_out(
    views: Mapping[str, Image],
    first: Corner,
    document: OpenDocument,
    sheet: ModelSheet | None,
    drawn: str,
) -> Layout:
    """Put the views where the sheet has them, else in a row where the canvas has room for it.

    `first` is where the first view goes, or of a sheet the view `drawn`, by as much as which the
    others are moved.
    """
    if sheet is not None:
        known = {view: one.box for view, one in sheet.views.items()}
        x, y, _, _ = known[drawn]
        corners = {
            view: (first[0] + box[0] - x, first[1] + box[1] - y) for view, box in known.items()
        }
        return Layout(
            {view: corners.get(view, first) for view in views},
            len(set(corners.values())) == len(corners),
        )
    width = max(image.width for image in views.values())
    step = width + max(1, width // GAP)
    is_row = first[0] + step * (len(views) - 1) + width <= document.area("canvas")[2]
    return Layout(
        {view: (first[0] + step * number * is_row, first[1]) for number, view in enumerate(views)},
        is_row,
    )


def insert_key_views(
    document: OpenDocument,
    name: str,
    views: Mapping[str, Image],
    layout: Layout,
    settings: dict[str, Any],
) -> Generator[None, None, ModelSheet]:
    """Insert a group with a layer for each view, in one undo step; return its note."""
    layers = [(view, (image, _placed(image, layout, view))) for view, image in views.items()]
    return (
        yield from document.sheets.add_key_views(
            name, layers, shows_all=layout.is_row, settings=settings
        )
    )


def insert_animation(
    document: OpenDocument,
    name: str,
    strips: Sequence[Strip],
    titles: Mapping[str, str],
    layout: Layout,
    *,
    frames_per_second: int,
    hides: Sequence[str],
) -> Generator[None, None, str]:
    """Insert a group for each view with an animated layer for each action, in one undo step.

    Returns the id of the group around all. Where the views share one place, only the first is
    shown; of the actions always only the first.
    """
    views: dict[str, list[AnimatedLayer]] = {}
    end = 0
    for strip in strips:
        *times, layer_end = key_times(len(strip.images), strip.frame_ms, frames_per_second)
        layers = views.setdefault(strip.view, [])
        layers.append(
            AnimatedLayer(
                titles.get(strip.action, strip.action),
                strip.images,
                times,
                _placed(strip.images[0], layout, strip.view),
                is_visible=not layers,
                has_onion_skins=True,
            )
        )
        if len(layers) == 1:
            end = max(end, layer_end)
    groups = [
        AnimatedGroup(title_of(view), layers, is_visible=layout.is_row or number == 0)
        for number, (view, layers) in enumerate(views.items())
    ]
    return (
        yield from document.sheets.add_animation(
            name,
            groups,
            frames_per_second=frames_per_second,
            frame_count=end,
            hides=hides,
        )
    )


def insert_sheet(
    document: OpenDocument, name: str, strips: Sequence[Strip], first: Corner
) -> Generator[None, None, OpenDocument]:
    """Insert all strips as one picture; into a new document if the canvas is too small for it."""
    sheet = draw_sheet(strips, name)
    canvas = document.area("canvas")
    if sheet.width > canvas[2] or sheet.height > canvas[3]:
        document = document.create_document(name, sheet.width, sheet.height)
        placement = document.default_placement()
    else:
        centre = Placement(first[0] + sheet.width // 2, first[1] + sheet.height // 2)
        placement = moved_inside(centre, (sheet.width, sheet.height), canvas)
    yield from document.insert(name, [(sheet, placement)])
    return document


def animation_name(sheet_name: str) -> str:
    """Return the name of the group of animations of a model sheet."""
    return tr("{name}, animated", name=sheet_name)


def _placed(image: Image, layout: Layout, view: str) -> Placement:
    x, y = layout.corners[view]
    return Placement(x + image.width // 2, y + image.height // 2)
