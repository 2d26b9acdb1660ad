"""Bring an artist's drawings of one character to the model: checked, measured, placed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image

from modelsheet.api.animate import FigureFit, ViewName
from modelsheet.errors import InvalidImages
from modelsheet.motion.figures.drawing_checks import check_drawing, visible
from modelsheet.motion.figures.fitting import Measurement, embedded_measurer
from modelsheet.motion.figures.mannequin import Proportions
from modelsheet.motion.figures.mannequin_archive import embedded_mannequins
from modelsheet.motion.figures.pictures import SIZE, Picture
from modelsheet.motion.figures.placement import Placement, Scale, choose_scale, place
from modelsheet.motion.figures.registration import register

_ANY_VIEW: ViewName = "front"  # by which a drawing of unknown view is measured
_VIEW_WORDS: tuple[ViewName, ...] = ("front", "left", "back", "right")
_SAME_PLACE = 1.5  # px of the model: drawings that differ by less were drawn in place


@dataclass(frozen=True)
class NamedDrawing:
    """A drawing as it came: RGBA, of any size."""

    image: Image.Image
    view: ViewName | None = None
    name: str = ""


@dataclass(frozen=True)
class PlacedDrawing:
    """A drawing at its own scale, cut to the frame, and as the model's picture."""

    image: Image.Image
    picture: Picture
    view: ViewName | None


@dataclass(frozen=True)
class CharacterDrawings:
    """The drawings of one character on frames of one size, and its fit in px of the model.

    `placement` and `canvas`, its size in px, are the first drawing's.
    """

    drawings: Sequence[PlacedDrawing]
    placement: Placement
    canvas: tuple[int, int]
    body: str
    proportions: Proportions
    warnings: Sequence[str]

    @property
    def scale(self) -> Scale:
        return self.placement.scale

    def fit(self) -> FigureFit:
        """Return the fit in px of the first drawing."""
        p, px = self.proportions, self.scale.drawing_px
        left, top = self.placement.left, self.placement.top
        return FigureFit(
            body=self.body,
            top=round(p.top * px + top, 2),
            neck=round(p.neck * px + top, 2),
            feet=round(p.feet * px + top, 2),
            centre=round(p.centre * px + left, 2),
            head_width=round(p.head * px, 2),
            body_width=round(p.body * px, 2),
        )


def read_character(
    drawings: Sequence[NamedDrawing], fit: FigureFit | None = None
) -> CharacterDrawings:
    """Check, measure and place drawings; `fit` takes the place of what is measured on the first.

    Views that neither the drawing nor its name says are left open, but the first is the front.
    Raises InvalidImages.
    """
    names = [drawing.name or f"drawing {n}" for n, drawing in enumerate(drawings, start=1)]
    warnings = [
        warning
        for drawing, name in zip(drawings, names, strict=True)
        for warning in check_drawing(drawing.image, name, is_fitted=fit is not None)
    ]
    views = [drawing.view or view_in(drawing.name) for drawing in drawings]
    view = views[0] = views[0] or "front"
    _check_views(views)
    first = drawings[0].image
    measured = Measurement({fit.body: 1.0}, _proportions(fit)) if fit else _measure(first, view)
    scale = choose_scale(first.crop(first.getchannel("A").getbbox()))
    placement = place(first, measured.proportions, scale)
    picture = placement.to_model(first)
    measured = replace(measured, proportions=placement.fit_to_model(measured.proportions))
    if fit:
        body, proportions = fit.body, measured.proportions
    else:
        figures = {name: embedded_mannequins().figure(name) for name in measured.bodies}
        body, proportions = register(picture, view, measured, figures)
    placed = [PlacedDrawing(placement.crop(first), picture, view)]
    for drawing, each in zip(drawings[1:], views[1:], strict=True):
        own = _place_beside(drawing.image, each, placement, proportions, first.size)
        image = drawing.image
        placed.append(PlacedDrawing(own.crop(image), own.to_model(image), each))
    warnings += _scale_warnings(scale)
    return CharacterDrawings(placed, placement, first.size, body, proportions, warnings)


def with_views(character: CharacterDrawings, views: Sequence[ViewName]) -> CharacterDrawings:
    """Return the character with the views of all its drawings known."""
    drawings = [
        replace(drawing, view=view) for drawing, view in zip(character.drawings, views, strict=True)
    ]
    return replace(character, drawings=drawings)


def _place_beside(
    image: Image.Image,
    view: ViewName | None,
    first: Placement,
    proportions: Proportions,
    first_size: tuple[int, int],
) -> Placement:
    """Place a further drawing so that its feet and centre lie where the first one's do."""
    measured = _measure(image, view).proportions
    in_place = first.fit_to_model(measured)
    away = max(abs(in_place.feet - proportions.feet), abs(in_place.centre - proportions.centre))
    if image.size == first_size and away <= _SAME_PLACE:
        return first
    return place(image, measured, first.scale, proportions.feet, proportions.centre)


def _measure(image: Image.Image, view: ViewName | None) -> Measurement:
    return embedded_measurer().measure(visible(image), view or _ANY_VIEW)


def _proportions(fit: FigureFit) -> Proportions:
    """Convert a fit by hand. Raises InvalidImages: its rows are not in order."""
    if not fit.top < fit.neck < fit.feet:
        raise InvalidImages(
            "The mannequin's top must be above its neck, and that above its feet. Set them anew, "
            "or leave the fit out to have it measured."
        )
    return Proportions(fit.top, fit.neck, fit.feet, fit.centre, fit.head_width, fit.body_width)


def view_in(name: str) -> ViewName | None:
    """Find the one view that a name says."""
    words = set(re.split(r"[^a-z]+", name.lower()))
    found = [view for view in _VIEW_WORDS if view in words]
    return found[0] if len(found) == 1 else None


def _check_views(views: Sequence[ViewName | None]) -> None:
    for view in _VIEW_WORDS:
        if views.count(view) > 1:
            raise InvalidImages(
                f"Two drawings show the {view} view. Give one drawing for each view, and say "
                "which is which."
            )


def _scale_warnings(scale: Scale) -> list[str]:
    if scale.lost == 1:
        return []
    return [
        f"The drawing is larger than the {SIZE} px at which motion is drawn: frames are drawn at "
        f"1/{scale.lost} of its size and enlarged again, so details of less than {scale.lost} px "
        "are lost. Your own drawings stay as they are."
    ]
