"""Bring drawings of any size to the model's 64 × 64 picture and back, by whole numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from modelsheet.imaging.pixel_art import detect_pixel_size, reduce_pixel_art
from modelsheet.imaging.rgba import enlarge_pixels
from modelsheet.motion.figures.mannequin import Proportions
from modelsheet.motion.figures.pictures import SIZE, Picture, blank

GROUND, MIDDLE = 62, 32  # where feet and centre of most characters lie that the model learnt from
_SMALL, _TALL = 28, 56  # px: a figure up to `_SMALL` is enlarged, to `_TALL` at most
_NEAR = 4  # px of the model by which a figure may lie elsewhere without being moved
_MANY_COLOURS = 256  # more are no pixel art, and would take long to reduce


@dataclass(frozen=True)
class Scale:
    """A px of the model is `reduce` px of the drawing, or one of the drawing `enlarge` px of it.

    `pixel` px of the drawing are one painted pixel: reducing by that loses nothing.
    """

    enlarge: int = 1
    reduce: int = 1
    pixel: int = 1

    @property
    def frame(self) -> int:
        """Compute the side in px of what the model sees of a drawing."""
        return SIZE * self.reduce // self.enlarge

    @property
    def drawing_px(self) -> float:
        """Compute the px of the drawing for one of the model."""
        return self.reduce / self.enlarge

    @property
    def lost(self) -> int:
        """Return how many painted pixels a side become one of the model: 1 if nothing is lost."""
        return self.reduce // self.pixel


def choose_scale(figure: Image.Image) -> Scale:
    """Choose the scale for a figure, given as its picture cropped to what it shows."""
    pixel = _exact_pixel_size(figure)
    width, height = (math.ceil(side / pixel) for side in figure.size)
    if pixel == 1 and height <= _SMALL:
        return Scale(enlarge=max(1, min(_TALL // height, SIZE // width)))
    reduce = 1 if max(width, height) <= SIZE else math.ceil(max(height / _TALL, width / SIZE))
    return Scale(reduce=reduce * pixel, pixel=pixel)


@dataclass(frozen=True)
class Placement:
    """Part of a drawing that the model sees: from (left, top), `scale.frame` px wide and high."""

    scale: Scale
    left: int
    top: int

    def crop(self, drawing: Image.Image) -> Image.Image:
        """Cut the part out of a drawing, unchanged; clear where the drawing ends."""
        side = self.scale.frame
        return drawing.crop((self.left, self.top, self.left + side, self.top + side))

    def to_model(self, drawing: Image.Image) -> Picture:
        """Bring the part of a drawing to the model's size."""
        return to_model(self.crop(drawing), self.scale)

    def fit_to_model(self, fit: Proportions) -> Proportions:
        """Convert measures in px of the drawing to px of the model."""
        px = self.scale.drawing_px
        return Proportions(
            (fit.top - self.top) / px,
            (fit.neck - self.top) / px,
            (fit.feet - self.top) / px,
            (fit.centre - self.left) / px,
            fit.head / px,
            fit.body / px,
        )


def place(
    drawing: Image.Image,
    fit: Proportions,
    scale: Scale,
    feet: float = GROUND,
    centre: float = MIDDLE,
) -> Placement:
    """Choose the part of a drawing in which the figure's feet and centre lie where they should.

    `feet` and `centre` are in px of the model. A drawing that is itself of the model's size stays
    where it is if its figure lies near enough.
    """
    box = drawing.getchannel("A").getbbox()
    assert box is not None, "checked before"
    px, grid = scale.drawing_px, scale.pixel
    is_whole = drawing.size == (scale.frame, scale.frame)
    near = max(abs(fit.feet / px - feet), abs(fit.centre / px - centre)) <= _NEAR
    if is_whole and near:
        return Placement(scale, 0, 0)
    left, top = fit.centre - centre * px, fit.feet - feet * px
    left = _inside(left, box[0], box[2], scale.frame)
    top = _inside(top, box[1], box[3], scale.frame)
    return Placement(scale, _on_grid(left, box[0], grid), _on_grid(top, box[1], grid))


def to_model(part: Image.Image, scale: Scale) -> Picture:
    """Convert a picture of `scale.frame` px a side to the model's 64 × 64."""
    if scale.lost > 1 and part.convert("RGB").getcolors(_MANY_COLOURS) is not None:
        reduced = reduce_pixel_art(part, SIZE, SIZE)
    elif scale.reduce > 1:
        reduced = part.resize((SIZE, SIZE), Image.Resampling.NEAREST)
    else:
        reduced = enlarge_pixels(part, scale.enlarge)
    picture = blank()
    picture[: reduced.height, : reduced.width] = np.asarray(reduced)
    picture[picture[..., 3] == 0] = 0
    return picture


def from_model(picture: Picture, scale: Scale) -> Image.Image:
    """Convert the model's picture to the drawing's scale: RGBA, `scale.frame` px a side."""
    used = scale.frame * scale.enlarge if scale.enlarge > 1 else SIZE
    image = Image.fromarray(np.ascontiguousarray(picture[:used, :used]))
    if scale.enlarge > 1:
        return reduce_pixel_art(image, scale.frame, scale.frame)
    return enlarge_pixels(image, scale.reduce)


def _exact_pixel_size(figure: Image.Image) -> int:
    """Return the side of the squares of one colour that a figure consists of, 1 if of none."""
    size = detect_pixel_size(figure)
    if size == 1 or figure.width % size or figure.height % size:
        return 1
    small = figure.resize((figure.width // size, figure.height // size), Image.Resampling.NEAREST)
    is_exact = enlarge_pixels(small, size).tobytes() == figure.tobytes()
    return size if is_exact else 1


def _inside(start: float, first: int, last: int, side: int) -> float:
    """Move the start of a part so that it holds from `first` to `last`, if there is room."""
    if last - first > side:
        return start
    return min(max(start, last - side), first)


def _on_grid(value: float, origin: int, grid: int) -> int:
    """Round to the painted pixels' grid, one line of which is at `origin`."""
    return origin + grid * round((value - origin) / grid)
