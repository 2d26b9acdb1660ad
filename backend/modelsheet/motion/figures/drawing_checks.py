"""Check drawings of a character before they are animated: what cannot work, and what may not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelsheet.errors import InvalidImages
from modelsheet.imaging.keying import label_regions
from modelsheet.imaging.rgba import limit_sides
from modelsheet.motion.figures.placement import choose_scale

_HALF = 128  # levels of alpha
_OPAQUE_SHARE = 0.97  # of the canvas: there is a background
_SMALLEST = 8  # px: height of a figure
_MOST_LOST = 4  # painted pixels a side that become one
_LOOKED_AT = 256  # px a side: enough to see shapes
_SECOND_SHARE, _SECOND_HEIGHT = 0.35, 0.6  # of the largest shape: a second figure
_CUT_SHARE, _CUT_LEAST = 0.7, 6  # of a figure's width or height on the canvas's edge
_BUST_SHARE = 0.9  # of its greatest width at the bottom
_SOLID_SHARE = 0.75  # of that extent
_BUST_HEIGHT = 1.3  # times its width: a long dress is higher
_CREATURE = 1.2  # times as wide as high


def visible(image: Image.Image) -> npt.NDArray[np.bool_]:
    """Return where an RGBA image is more than half opaque."""
    return np.asarray(image.getchannel("A")) >= _HALF


def check_drawing(image: Image.Image, name: str, *, is_fitted: bool) -> list[str]:
    """Return warnings about a drawing; `name` says which. One fitted by hand may be a bust.

    Raises InvalidImages with what to do.
    """
    figure = visible(image)
    if not figure.any():
        raise InvalidImages(f"{name} is empty: draw the character on it first.")
    if figure.mean() > _OPAQUE_SHARE and min(image.size) >= _SMALLEST:
        raise InvalidImages(
            f"{name} has a background. Put the character alone on a layer, with nothing around it."
        )
    box = image.getchannel("A").getbbox()
    assert box is not None
    height = box[3] - box[1]
    if height < _SMALLEST:
        raise InvalidImages(
            f"The figure on {name} is {height} px high. Draw one of at least {_SMALLEST} px."
        )
    if choose_scale(image.crop(box)).lost > _MOST_LOST:
        raise InvalidImages(
            f"The figure on {name} is {height} px high: that is a painting, and motion is for "
            "pixel art. Scale a copy of it down first, to a height of about 50 px."
        )
    small = visible(limit_sides(image, _LOOKED_AT))
    _check_alone(small, name)
    return _shape_warnings(figure, name, is_fitted=is_fitted)


def _check_alone(figure: npt.NDArray[np.bool_], name: str) -> None:
    """Raise InvalidImages if there are two figures side by side."""
    labels = label_regions(_closed(figure))
    sizes = np.bincount(labels.ravel())[1:]
    if len(sizes) < 2:
        return
    order = sizes.argsort()[::-1]
    first, second = labels == order[0] + 1, labels == order[1] + 1
    heights = [int(np.ptp(np.flatnonzero(each.any(1)))) + 1 for each in (first, second)]
    is_beside = not (first.any(0) & second.any(0)).any()
    is_figure = sizes[order[1]] >= _SECOND_SHARE * sizes[order[0]]
    if is_beside and is_figure and heights[1] >= _SECOND_HEIGHT * heights[0]:
        raise InvalidImages(
            f"There are two figures on {name}. Put each on a layer of its own, and give one."
        )


def _closed(figure: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Join shapes that touch at a corner, or lie a pixel apart."""
    joined: npt.NDArray[np.bool_] = figure.copy()
    joined[1:] |= figure[:-1]
    joined[:, 1:] |= joined[:, :-1].copy()
    return joined


def _shape_warnings(figure: npt.NDArray[np.bool_], name: str, *, is_fitted: bool) -> list[str]:
    rows, columns = np.flatnonzero(figure.any(1)), np.flatnonzero(figure.any(0))
    height, width = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    warnings = []
    if width > _CREATURE * height:
        warnings.append(
            f"The figure on {name} is wider than high: if it has four legs or wings, its frames "
            "will be wrong, as all actions are of upright figures with two arms and two legs. It "
            "is tried as one of those."
        )
    elif not is_fitted and height <= _BUST_HEIGHT * width and _is_bust(figure, width):
        raise InvalidImages(
            f"The figure on {name} ends at the canvas's lower edge, as a bust does, and has no "
            "feet. Draw the whole figure, or set its feet by hand below the canvas."
        )
    sides = {
        "upper": (figure[0], width),
        "left": (figure[:, 0], height),
        "right": (figure[:, -1], height),
    }
    cut = [
        side
        for side, (edge, extent) in sides.items()
        if edge.sum() >= max(_CUT_LEAST, _CUT_SHARE * extent)
    ]
    if cut:
        warnings.append(
            f"The figure on {name} is cut off at the {cut[0]} edge of the canvas. Enlarge the "
            "canvas and draw what is missing; what is cut off stays away in all frames."
        )
    return warnings


def _is_bust(figure: npt.NDArray[np.bool_], width: int) -> bool:
    """Tell if a figure is as wide as anywhere where the canvas ends, without a gap of legs."""
    last = np.flatnonzero(figure[-1])
    if len(last) < _CUT_LEAST:
        return False
    extent = int(np.ptp(last)) + 1
    return extent >= _BUST_SHARE * width and len(last) >= _SOLID_SHARE * extent
