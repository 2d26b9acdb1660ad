"""Cut a figure out of a flat background: exact keying, with straight alpha and without fringes.

What is background is decided by connection and flatness; at its edge each pixel is taken for what
it is, a mix of the background and a colour of the figure beside it, and the two are separated.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelsheet.imaging.rgba import Colour, bleed_colours

_Pixels = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]

_NEAR = 72.0  # levels; a border pixel farther from the asked colour belongs to the figure
_LEAST_TOLERANCE = 4.0  # levels; resampling leaves ripples of two or three around an edge
_LARGEST_NOISE = 32.0  # levels; beyond this a background is not flat
_NOISY = 6.0  # levels
_FLAT_SHARE = 0.5  # of the border, which a figure cut by the frame covers in part
_SPECK = 6  # px
_REACH = 3  # px over which an edge may be smeared by resampling or an autoencoder
_OPAQUE_FROM = 0.97
_VISIBLE_FROM = 0.02
_SOFT_FROM = (
    0.35  # share of edge pixels that are mixed: under .3 on sprites, over .5 when antialiased
)


def key_out(image: Image.Image, colour: Colour, *, hard_edge: bool = False) -> Image.Image:
    """Make the background of about this colour transparent; gives RGBA of the same size.

    Background is what hangs together with the picture's border, and enclosed regions that are as
    flat as it. With `hard_edge` each pixel is either opaque or transparent, as in pixel art, and a
    few pixels beside the background that are nearly of its colour belong to it.
    """
    pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    paper, noise = _measure_paper(pixels, colour)
    background = _background(pixels, paper, noise)
    if hard_edge:
        background = _with_ripples(pixels, paper, background)
    figure, alpha = _unmix_edges(pixels, paper, background, tolerance=3.0 + noise)
    if hard_edge:
        alpha = _without_specks((alpha >= 0.5).astype(np.float32), noise)
    rgba = np.concatenate([figure, alpha[..., None] * 255.0], axis=-1)
    return bleed_colours(Image.fromarray(rgba.round().clip(0, 255).astype(np.uint8)))


def has_flat_background(image: Image.Image, colour: Colour) -> bool:
    """Tell whether the background came out as asked: of about this colour, and evenly."""
    border = _border(np.asarray(image.convert("RGB"), dtype=np.float32))
    near = border[_distance(border, np.array(colour, dtype=np.float32)) <= _NEAR]
    if len(near) < _FLAT_SHARE * len(border):
        return False
    return _noise(near, np.median(near, axis=0).astype(np.float32)) <= _LARGEST_NOISE


def _without_specks(alpha: _Pixels, noise: float) -> _Pixels:
    """Drop regions of a few pixels that a noisy background left standing; a clean one left none."""
    if noise < _NOISY:
        return alpha
    region = label_regions(alpha > 0)
    size = np.bincount(region.ravel())
    kept: _Pixels = np.where(size[region] > _SPECK, alpha, 0.0).astype(np.float32)
    return kept


def _measure_paper(pixels: _Pixels, colour: Colour) -> tuple[_Pixels, float]:
    """Give the colour that the background really has along the border, and how much it varies."""
    asked = np.array(colour, dtype=np.float32)
    border = _border(pixels)
    near = border[_distance(border, asked) <= _NEAR]
    if not len(near):
        return asked, 0.0
    paper: _Pixels = np.median(near, axis=0).astype(np.float32)
    return paper, min(_noise(near, paper), _LARGEST_NOISE)


def _border(pixels: _Pixels) -> _Pixels:
    return np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))


def _noise(near: _Pixels, paper: _Pixels) -> float:
    return float(np.percentile(_distance(near, paper), 95))


def _distance(pixels: _Pixels, colour: _Pixels) -> _Pixels:
    """Give the largest difference of a channel, in levels."""
    distance: _Pixels = np.abs(pixels - colour).max(axis=-1)
    return distance


def _background(pixels: _Pixels, paper: _Pixels, noise: float) -> _Mask:
    """Find the flat regions that touch the border, and the enclosed ones that are as flat."""
    distance = _distance(pixels, paper)
    tolerance = max(2.0 * noise, _LEAST_TOLERANCE)
    region = label_regions(distance <= tolerance)
    count = int(region.max()) + 1
    outside = np.zeros(count, dtype=bool)
    outside[np.concatenate([region[0], region[-1], region[:, 0], region[:, -1]])] = True
    size = np.maximum(np.bincount(region.ravel(), minlength=count), 1)
    unevenness = np.bincount(region.ravel(), distance.ravel(), minlength=count) / size
    keyed = outside | (unevenness <= 0.5 * noise + 0.25)
    keyed[0] = False  # region 0 is all that is not flat
    mask: _Mask = keyed[region]
    return mask


def _with_ripples(pixels: _Pixels, paper: _Pixels, background: _Mask) -> _Mask:
    """Add what an autoencoder left of the paper's colour around a figure that knows no mixtures."""
    near = _distance(pixels, paper) <= _NEAR
    for _ in range(_REACH):
        background = background | (_beside(background) & near)
    return background


def label_regions(mask: _Mask) -> npt.NDArray[np.intp]:
    """Number the regions of a mask from 1, and 0 outside of it; neighbours share an edge.

    Not a corner: an outline one pixel wide also holds where it runs diagonally. Each round hands
    the smallest number along whole runs of a row and then of a column, until nothing changes.
    """
    label = np.arange(1, mask.size + 1).reshape(mask.shape)
    while True:
        before = label
        label = _spread_along_rows(label, mask)
        label = _spread_along_rows(label.T, mask.T).T
        if np.array_equal(before, label):
            break
    region = np.zeros(mask.shape, dtype=np.intp)
    region[mask] = np.unique(label[mask], return_inverse=True)[1] + 1
    return region


def _spread_along_rows(label: npt.NDArray[np.intp], mask: _Mask) -> npt.NDArray[np.intp]:
    """Give each pixel of a run the run's smallest number; outside the mask each is its own run."""
    starts = np.ones(mask.shape, dtype=bool)
    starts[:, 1:] = ~(mask[:, 1:] & mask[:, :-1])
    first = np.flatnonzero(starts)
    smallest = np.minimum.reduceat(label.ravel(), first)
    return np.repeat(smallest, np.diff(first, append=mask.size)).reshape(mask.shape)


def _unmix_edges(
    pixels: _Pixels, paper: _Pixels, background: _Mask, *, tolerance: float
) -> tuple[_Pixels, _Pixels]:
    """Give the figure's own colours and its alpha in [0, 1]."""
    pure = _pure_colours(pixels, paper, background, tolerance)
    share = _share_of(pure, pixels, paper)
    alpha = np.where(background, 0.0, 1.0).astype(np.float32)
    figure: _Pixels = pixels.copy()
    beside = background
    if not _is_soft(share, background):
        return figure, alpha
    for _ in range(_REACH):
        edge = _grown(beside) & ~background & (alpha == 1.0) & (share < _OPAQUE_FROM)
        alpha[edge] = np.where(share[edge] < _VISIBLE_FROM, 0.0, share[edge])
        figure[edge] = pure[edge]
        beside = edge
    return figure, alpha


def _is_soft(share: _Pixels, background: _Mask) -> bool:
    """Tell an antialiased edge from a drawn one, whose colours may lie on a line by chance."""
    edge = _grown(background) & ~background
    return bool(edge.any() and (share[edge] < _OPAQUE_FROM).mean() >= _SOFT_FROM)


def _pure_colours(pixels: _Pixels, paper: _Pixels, background: _Mask, tolerance: float) -> _Pixels:
    """Give each pixel the colour nearby that explains it best: mixed with paper it is the pixel."""
    pure: _Pixels = pixels.copy()
    for _ in range(_REACH):
        found: _Pixels = pure
        for offered, known in _neighbours(pure, background):
            share = _share_of(offered, pixels, paper)
            mixed = paper + share[..., None] * (offered - paper)
            explains = known & (_distance(mixed, pixels) <= tolerance)
            farther = _contrast(offered, paper) > _contrast(found, paper)
            found = np.where((explains & farther)[..., None], offered, found)
        pure = found
    return pure


def _contrast(pixels: _Pixels, paper: _Pixels) -> _Pixels:
    contrast: _Pixels = np.linalg.norm(pixels - paper, axis=-1)
    return contrast


def _share_of(pure: _Pixels, pixels: _Pixels, paper: _Pixels) -> _Pixels:
    """Give how much of the pure colour is in each pixel, the rest being paper: in [0, 1]."""
    direction = pure - paper
    length = np.maximum((direction**2).sum(axis=-1), 1.0)
    share: _Pixels = ((pixels - paper) * direction).sum(axis=-1) / length
    within: _Pixels = share.clip(0.0, 1.0)
    return within


def _neighbours(pure: _Pixels, background: _Mask) -> list[tuple[_Pixels, _Mask]]:
    """Give the picture shifted by up to a pixel each way, and where a figure's pixel is then."""
    height, width = background.shape
    colours = np.pad(pure, ((1, 1), (1, 1), (0, 0)), mode="edge")
    known = np.pad(~background, 1, constant_values=False)
    windows = [(np.s_[y : y + height], np.s_[x : x + width]) for y in range(3) for x in range(3)]
    return [(colours[window], known[window]) for window in windows]


def _beside(mask: _Mask) -> _Mask:
    """The four neighbours of each pixel: an outline that runs diagonally keeps what it encloses."""
    padded = np.pad(mask, 1, constant_values=False)
    return padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]


def _grown(mask: _Mask) -> _Mask:
    """Add the eight neighbours of each pixel of the mask."""
    height, width = mask.shape
    padded = np.pad(mask, 1, constant_values=False)
    grown = np.zeros_like(mask)
    for y in range(3):
        for x in range(3):
            grown |= padded[y : y + height, x : x + width]
    return grown
