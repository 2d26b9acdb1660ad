"""Save frames as an animated GIF or PNG, without mixing colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from modelsheet.imaging.palettes import apply_palette, extract_palette
from modelsheet.imaging.pixel_art import threshold_alpha

_GIF_COLOURS = 255  # beside the clear one
_BACKGROUND = 2  # the disposal that clears a frame before the next one
_PNG_BACKGROUND = 1


def save_gif(frames: Sequence[Image.Image], times: Sequence[int], path: Path) -> None:
    """Save RGBA frames as a GIF that repeats; `times` in ms, which GIF rounds to 10.

    Pixels are clear or opaque; more than 255 colours are reduced to those.
    """
    clear = [threshold_alpha(frame) for frame in frames]
    palette = extract_palette(clear, _GIF_COLOURS)
    indexed = [_indexed(frame, palette) for frame in clear]
    indexed[0].save(
        path,
        "GIF",
        save_all=True,
        append_images=indexed[1:],
        duration=list(times),
        loop=0,
        disposal=_BACKGROUND,
        transparency=0,
        optimize=False,
    )


def save_apng(frames: Sequence[Image.Image], times: Sequence[int], path: Path) -> None:
    """Save RGBA frames as an animated PNG that repeats; `times` in ms."""
    frames[0].save(
        path,
        "PNG",
        save_all=True,
        append_images=list(frames[1:]),
        duration=list(times),
        loop=0,
        disposal=_PNG_BACKGROUND,
        blend=0,
    )


def _indexed(frame: Image.Image, palette: Sequence[tuple[int, int, int]]) -> Image.Image:
    """Convert a frame to indices of the palette; 0 is clear."""
    rgba = np.asarray(apply_palette(frame, palette))
    colours = np.array(palette, np.uint8)
    known = {tuple(colour): number + 1 for number, colour in enumerate(colours.tolist())}
    found, where = np.unique(rgba.reshape(-1, 4), axis=0, return_inverse=True)
    numbers = [known[tuple(one[:3])] if one[3] else 0 for one in found.tolist()]
    indices = np.array(numbers, np.uint8)[where.reshape(rgba.shape[:2])]
    image = Image.fromarray(indices, "P")
    image.putpalette([0, 0, 0, *colours.ravel().tolist()])
    return image
