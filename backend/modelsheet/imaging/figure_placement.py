"""Find the figure on a picture, and place one in the bounding box of a selection."""

from __future__ import annotations

import numpy as np
from PIL import Image

from modelsheet.imaging.inpainting import Box
from modelsheet.imaging.keying import flat_background, key_out
from modelsheet.imaging.palettes import apply_palette, extract_palette
from modelsheet.imaging.pixel_art import detect_pixel_size, threshold_alpha
from modelsheet.imaging.rgba import enlarge_pixels, resize

_PIXEL_ART_SIDE = 256  # px; larger pictures are pixel art only if they have few colours
_LARGEST_SIDE = 512  # px; of pixel art at its own size
_MOST_COLOURS = 256
_LARGER = 3  # times; a selection so much larger than a figure asks for larger pixels
_OPEN_SHARE = 0.02  # of a picture; one with less transparency has a background
_FIGURE_SHARE = (0.02, 0.9)  # of an area; less are specks, more is a scene


def pixel_size_of(picture: Image.Image) -> int:
    """Return the side in px of the pixels that a picture is painted in: 1 for pixel art at its own
    size, 0 for what is no pixel art, or one flat colour, which does not tell.
    """
    colours = picture.convert("RGBA").getcolors(_MOST_COLOURS)
    if colours is not None and len(colours) == 1:
        return 0
    size, side = detect_pixel_size(picture), max(picture.size)
    is_small = side <= _PIXEL_ART_SIDE or (colours is not None and side <= _LARGEST_SIDE)
    return size if size > 1 or is_small else 0


def find_figure(picture: Image.Image, area: Box, *, hard_edge: bool) -> Image.Image | None:
    """Return what an RGBA picture shows without its background, of the same size: the picture
    itself where it has transparency, else what stands in the area on one flat colour. Fully
    transparent if the area is nothing but flat; None where a scene is.
    """
    alpha = np.asarray(picture.getchannel("A"))
    if (alpha < 128).mean() >= _OPEN_SHARE:
        return picture
    shown = picture.crop(area)
    colour = flat_background(shown)
    if colour is None:
        return None
    figure = key_out(shown, colour, hard_edge=hard_edge)
    share = float((np.asarray(figure.getchannel("A")) >= 128).mean())
    if share > _FIGURE_SHARE[1]:
        return None
    found = Image.new("RGBA", picture.size)
    if share >= _FIGURE_SHARE[0]:
        found.paste(figure, area[:2])
    return found


def place_figure(
    figure: Image.Image, box: Box, frame: tuple[int, int], *, pixel_size: int, pixel_art: bool
) -> Image.Image:
    """Fit what the RGBA figure shows into the box; returns RGBA of the frame's size.

    Pixel art is enlarged by `pixel_size`, or, where that is 0 or leaves most of the box empty, by
    the largest whole number that fits, and stands on the box's lower edge; it shrinks only if it
    does not fit. Anything else fills the box and is centred.
    """
    placed = Image.new("RGBA", frame)
    content = figure.getchannel("A").getbbox()
    if content is None:
        return placed
    room = box[2] - box[0], box[3] - box[1]
    shown = figure.crop(content)
    if pixel_art:
        shown = _fit_pixel_art(shown, room, pixel_size)
    else:
        shown = resize(shown, *_fitted(shown.size, room))
    spare = room[0] - shown.width, room[1] - shown.height
    down = spare[1] if pixel_art else spare[1] // 2
    placed.paste(shown, (box[0] + spare[0] // 2, box[1] + down))
    return placed


def _fit_pixel_art(figure: Image.Image, room: tuple[int, int], pixel_size: int) -> Image.Image:
    most = min(room[0] // figure.width, room[1] // figure.height)
    factor = pixel_size if pixel_size and most < _LARGER * pixel_size else most
    factor = max(1, min(factor, *room))
    cells = room[0] // factor, room[1] // factor
    if figure.width > cells[0] or figure.height > cells[1]:
        palette = extract_palette([figure], _MOST_COLOURS)
        reduced = threshold_alpha(resize(figure, *_fitted(figure.size, cells)))
        figure = apply_palette(reduced, palette)
    return enlarge_pixels(figure, factor)


def _fitted(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    ratio = min(room[0] / size[0], room[1] / size[1])
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))
