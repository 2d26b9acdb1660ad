"""Map the pixels of a sprite to a palette by their own colours and by those of their neighbours.

A decoder dims and mixes the colours of single pixels: the nearest colour of a yellow star on a blue
coat may be a grey that the character has elsewhere, but never on its coat. So the references are
asked which colours they have among such neighbours (iterated conditional modes of a Markov random
field whose potentials are the references' 3 × 3 neighbourhoods).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelsheet.imaging.palettes import nearest_colours, srgb_to_oklab
from modelsheet.imaging.rgba import Colour

_OPAQUE = 128  # level of alpha
_WEIGHT = 3.0  # of the neighbours, where the pixel's own colour has 1
_UNLIKE = 0.03  # squared distance in OKLab of a neighbour that has simply another colour
_NEW = 0.003  # added for a colour that the references have nowhere
_ROUNDS = 2
_MOST_EXAMPLES = 4096
_ROWS = 1024  # pixels at a time
# Offsets, and weights that add up to 1; the diagonal ones are farther away.
_NEIGHBOURS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
_SHARES = np.array([1 / (y * y + x * x) ** 0.5 for y, x in _NEIGHBOURS], np.float32)
_SHARES /= _SHARES.sum()
_Floats = npt.NDArray[np.float32]
_Labels = npt.NDArray[np.intp]  # indices of the palette, its length for transparent


def match_palette(
    image: Image.Image, palette: Sequence[Colour], references: Sequence[Image.Image]
) -> Image.Image:
    """Map the opaque pixels of an RGBA image to the palette, as the references have its colours.

    References are pixel art of the image's scale; each of them maps to itself. Colours that they
    have nowhere are for pixels that are nearer to them than to all others.
    """
    rgba = np.array(image.convert("RGBA"))
    colours = np.array(palette, dtype=np.uint8)
    is_opaque = rgba[..., 3] >= _OPAQUE
    points = srgb_to_oklab(rgba[is_opaque][:, :3])
    own = _distances(points, colours)
    centres, examples = _examples(references, colours)
    for _ in range(_ROUNDS):
        around = _gather(_neighbour_distances(rgba, is_opaque, colours))[is_opaque]
        costs = own + _WEIGHT * _context_costs(around, centres, examples, len(colours))
        rgba[is_opaque, :3] = colours[costs.argmin(1)]
    return Image.fromarray(rgba)


def _distances(points: npt.NDArray[np.float64], colours: npt.NDArray[np.uint8]) -> _Floats:
    """Return the squared distances in OKLab of points to colours, (N, K)."""
    candidates = srgb_to_oklab(colours)
    distances: _Floats = np.square(points[:, None] - candidates[None]).sum(-1).astype(np.float32)
    return distances


def _neighbour_distances(
    rgba: npt.NDArray[np.uint8], is_opaque: npt.NDArray[np.bool_], colours: npt.NDArray[np.uint8]
) -> _Floats:
    """Return how unlike each pixel is to each colour and to transparency, (H, W, K + 1)."""
    unlike = np.full((*is_opaque.shape, len(colours) + 1), _UNLIKE, np.float32)
    found = _distances(srgb_to_oklab(rgba[is_opaque][:, :3]), colours)
    unlike[is_opaque, :-1] = found.clip(max=_UNLIKE)
    unlike[~is_opaque, -1] = 0
    return unlike


def _gather(unlike: _Floats) -> _Floats:
    """Return those of the neighbours, weighted, (H, W, 8, K + 1); the outside is transparent."""
    height, width, count = unlike.shape
    padded = np.full((height + 2, width + 2, count), _UNLIKE, np.float32)
    padded[..., -1] = 0
    padded[1:-1, 1:-1] = unlike
    shifted = [
        share * padded[1 + y : 1 + y + height, 1 + x : 1 + x + width]
        for (y, x), share in zip(_NEIGHBOURS, _SHARES, strict=True)
    ]
    return np.stack(shifted, axis=2)


def _examples(
    references: Sequence[Image.Image], colours: npt.NDArray[np.uint8]
) -> tuple[_Labels, _Labels]:
    """Return the labels (N,) of the references' opaque pixels, ascending, and those of their
    neighbours (N, 8), also mirrored.
    """
    rows = []
    for reference in references:
        labels = _labels(reference, colours)
        for each in (labels, labels[:, ::-1]):
            padded = np.pad(each, 1, constant_values=len(colours))
            height, width = each.shape
            around = [padded[1 + y : 1 + y + height, 1 + x : 1 + x + width] for y, x in _NEIGHBOURS]
            rows.append(np.stack([each, *around], axis=-1)[each < len(colours)])
    found = np.unique(np.concatenate(rows), axis=0)
    found = found[:: -(-len(found) // _MOST_EXAMPLES) or 1]
    return found[:, 0], found[:, 1:]


def _labels(image: Image.Image, colours: npt.NDArray[np.uint8]) -> _Labels:
    rgba = np.asarray(image.convert("RGBA"))
    is_opaque = rgba[..., 3] >= _OPAQUE
    labels = np.full(is_opaque.shape, len(colours), np.intp)
    labels[is_opaque] = nearest_colours(rgba[is_opaque][:, :3], colours)
    return labels


def _context_costs(around: _Floats, centres: _Labels, examples: _Labels, count: int) -> _Floats:
    """Return for each pixel and colour how unlike its neighbours are to those of the likest example
    of that colour, (N, K). A colour without examples costs little more than the likest of all.
    """
    costs = np.zeros((len(around), count), np.float32)
    if not len(examples):
        return costs
    used, places = np.unique(examples, return_inverse=True)
    wanted = np.zeros((*examples.shape, len(used)), np.float32)
    np.put_along_axis(wanted, places.reshape(*examples.shape, 1), 1, axis=2)
    wanted = wanted.reshape(len(examples), -1)
    present, starts = np.unique(centres, return_index=True)
    is_new = np.isin(np.arange(count), present, invert=True)
    for start in range(0, len(around), _ROWS):
        rows = around[start : start + _ROWS][..., used]
        unlike = rows.reshape(len(rows), -1) @ wanted.T
        costs[start : start + _ROWS, present] = np.minimum.reduceat(unlike, starts, axis=1)
    costs[:, is_new] = costs[:, present].min(axis=1, keepdims=True) + _NEW
    return costs
