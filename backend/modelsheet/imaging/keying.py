"""Key a figure out of a flat background, with straight alpha and without colour fringes.

The background is found by connectivity and flatness. Each pixel at its edge is a mix of the key
colour and a colour of the figure beside it; the two are separated.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelsheet.imaging.rgba import Colour, bleed_colours

_Pixels = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]
_Value = TypeVar("_Value", np.float32, np.bool_)

_NEAR = 72.0  # levels; a border pixel farther from the key colour belongs to the figure
_LEAST_TOLERANCE = 4.0  # levels; resampling leaves ripples of two or three around an edge
_LARGEST_NOISE = 32.0  # levels; beyond this a background is not flat
_NOISY = 6.0  # levels
_EVEN = 24.0  # levels within which nine tenths of a flat border lie
_FLAT_SHARE = 0.5  # of the border, since a figure may touch it
_SPECK = 6  # px
_SATURATED = 100  # levels; white, grey and black key colours leave no spill
# A light part of a figure is a patch of squares of 2 × 2 px of one colour; a ripple is none.
_PATCH_FROM = 28.0  # levels from the key colour
_PATCH_EVEN = 16.0  # levels within a square
_PATCH_SIZE = 8  # px
_REACH = 3  # px; how far resampling or an autoencoder blurs an edge
_OPAQUE_FROM = 0.97
_VISIBLE_FROM = 0.02
_HALF_OPAQUE = 127.0  # levels
# Share of mixed edge pixels: below 0.3 on sprites, above 0.5 when antialiased.
_SOFT_FROM = 0.35


def key_out(image: Image.Image, colour: Colour, *, hard_edge: bool = False) -> Image.Image:
    """Make the background of about this colour transparent; returns RGBA of the same size.

    The background is what is connected to the image's border, and enclosed regions as flat as it.
    With `hard_edge` each pixel is either opaque or transparent, as in pixel art, and up to 3 px
    beside the background of nearly its colour belong to it; even patches of another colour, however
    light, belong to the figure, also where no outline parts them from the background.
    """
    pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    is_saturated = max(colour) - min(colour) >= _SATURATED
    patches = np.zeros(pixels.shape[:2], dtype=bool)
    if hard_edge and not is_saturated:
        patches = _patches(pixels, np.array(colour, dtype=np.float32))
    key_colour, noise = _measure_background(pixels, colour, patches)
    patches &= _distance(pixels, key_colour) >= _PATCH_FROM / 2
    background = _background(pixels, key_colour, noise) & ~patches
    if hard_edge:
        background = _grow_over_ripples(pixels, key_colour, background, patches)
    if hard_edge and is_saturated:  # such a colour is no figure's by chance
        background |= _distance(pixels, key_colour) <= _NEAR
    figure, alpha = _unmix_edges(
        pixels, key_colour, background, is_pure=patches, tolerance=3.0 + noise
    )
    if hard_edge:
        alpha = (alpha >= 0.5).astype(np.float32)
        if is_saturated:
            figure, alpha = _without_spill(figure, key_colour, alpha)
        alpha = _without_specks(alpha, noise)
    rgba = np.concatenate([figure, alpha[..., None] * 255.0], axis=-1)
    return bleed_colours(Image.fromarray(rgba.round().clip(0, 255).astype(np.uint8)))


def has_flat_background(image: Image.Image, colour: Colour) -> bool:
    """Tell whether the background is flat and of about this colour."""
    border = _border(np.asarray(image.convert("RGB"), dtype=np.float32))
    near = border[_distance(border, np.array(colour, dtype=np.float32)) <= _NEAR]
    if len(near) < _FLAT_SHARE * len(border):
        return False
    return _noise(near, np.median(near, axis=0).astype(np.float32)) <= _LARGEST_NOISE


def opaque_border(figure: Image.Image) -> float:
    """Return the share of a cut-out's border that is opaque: of what could not be removed."""
    border = _border(np.asarray(figure.getchannel("A"), dtype=np.float32))
    return float((border > _HALF_OPAQUE).mean())


def flat_background(image: Image.Image) -> Colour | None:
    """Return the colour of the border if nearly all of it is of one colour, else None."""
    border = _border(np.asarray(image.convert("RGB"), dtype=np.float32))
    colour = np.median(border, axis=0).astype(np.float32)
    if float(np.percentile(_distance(border, colour), 90)) > _EVEN:
        return None
    red, green, blue = (int(level) for level in colour.round())
    return red, green, blue


def _without_spill(figure: _Pixels, key_colour: _Pixels, alpha: _Pixels) -> tuple[_Pixels, _Pixels]:
    """Take a saturated key colour out of pixels at the edge, as far as the figure beside them does
    not have it; pixels that are mostly key colour go.

    An autoencoder leaves a dark outline on magenta partly dark magenta.
    """
    high = key_colour > key_colour.mean()
    strongest = max(float(_spill(key_colour, high)), 1.0)
    is_figure = alpha > 0
    edge = is_figure & _dilate(~is_figure)
    spill = _spill(figure, high) / strongest
    own = np.stack(_shifted(np.where(edge | ~is_figure, 0, spill))).max(axis=0)
    share = np.where(edge, (spill - own).clip(0, 1), 0)[..., None]
    cleaned = (figure - share * key_colour) / np.maximum(1 - share, 0.5)
    kept = np.where(share[..., 0] >= 0.5, 0.0, alpha).astype(np.float32)
    return cleaned.clip(0, 255).astype(np.float32), kept


def _spill(pixels: _Pixels, high: npt.NDArray[np.bool_]) -> _Pixels:
    """Return how far the key colour's channels stand out over the others, in levels."""
    spill: _Pixels = (pixels[..., high].min(axis=-1) - pixels[..., ~high].max(axis=-1)).clip(0)
    return spill


def _shifted(values: _Pixels) -> list[_Pixels]:
    """Return the values shifted by up to a pixel each way."""
    height, width = values.shape
    padded = np.pad(values, 1)
    return [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]


def _without_specks(alpha: _Pixels, noise: float) -> _Pixels:
    """Remove regions of up to 6 px that a noisy background leaves."""
    if noise < _NOISY:
        return alpha
    region = label_regions(alpha > 0)
    size = np.bincount(region.ravel())
    kept: _Pixels = np.where(size[region] > _SPECK, alpha, 0.0).astype(np.float32)
    return kept


def _measure_background(pixels: _Pixels, colour: Colour, patches: _Mask) -> tuple[_Pixels, float]:
    """Return the background's actual colour along the border, and its noise in levels."""
    expected = np.array(colour, dtype=np.float32)
    border, is_patch = _border(pixels), _border(patches)
    is_near = _distance(border, expected) <= _NEAR
    if not is_near.any():
        return expected, 0.0
    key_colour: _Pixels = np.median(border[is_near], axis=0).astype(np.float32)
    off_key = _distance(border, key_colour) >= _PATCH_FROM / 2
    near = border[is_near & ~(is_patch & off_key)]
    return key_colour, min(_noise(near, key_colour), _LARGEST_NOISE)


def _border(pixels: npt.NDArray[_Value]) -> npt.NDArray[_Value]:
    return np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))


def _noise(near: _Pixels, key_colour: _Pixels) -> float:
    return float(np.percentile(_distance(near, key_colour), 95))


def _distance(pixels: _Pixels, colour: _Pixels) -> _Pixels:
    """Return the largest difference of a channel, in levels."""
    distance: _Pixels = np.abs(pixels - colour).max(axis=-1)
    return distance


def _background(pixels: _Pixels, key_colour: _Pixels, noise: float) -> _Mask:
    """Return the mask of flat regions that touch the border, and enclosed ones as flat."""
    distance = _distance(pixels, key_colour)
    tolerance = max(2.0 * noise, _LEAST_TOLERANCE)
    region = label_regions(distance <= tolerance)
    count = int(region.max()) + 1
    outside = np.zeros(count, dtype=bool)
    outside[np.concatenate([region[0], region[-1], region[:, 0], region[:, -1]])] = True
    size = np.maximum(np.bincount(region.ravel(), minlength=count), 1)
    unevenness = np.bincount(region.ravel(), distance.ravel(), minlength=count) / size
    keyed = outside | (unevenness <= 0.5 * noise + 0.25)
    keyed[0] = False  # region 0 is everything not flat
    mask: _Mask = keyed[region]
    return mask


def _grow_over_ripples(
    pixels: _Pixels, key_colour: _Pixels, background: _Mask, patches: _Mask
) -> _Mask:
    """Grow the background over near-key pixels that an autoencoder leaves around pixel art."""
    near = (_distance(pixels, key_colour) <= _NEAR) & ~patches
    for _ in range(_REACH):
        background = background | (_neighbour_mask(background) & near)
    return background


def _patches(pixels: _Pixels, colour: _Pixels) -> _Mask:
    """Return the mask of regions of even colours that differ from the given colour."""
    height, width = pixels.shape[:2]
    shifts = [np.s_[y : height - 1 + y, x : width - 1 + x] for y in (0, 1) for x in (0, 1)]
    corners = np.stack([pixels[shift] for shift in shifts])
    spread = (corners.max(axis=0) - corners.min(axis=0)).max(axis=-1)
    unlike = _distance(corners, colour).min(axis=0) >= _PATCH_FROM
    mask = np.zeros((height, width), dtype=bool)
    for shift in shifts:
        mask[shift] |= (spread <= _PATCH_EVEN) & unlike
    region = label_regions(mask)
    large: _Mask = mask & (np.bincount(region.ravel())[region] >= _PATCH_SIZE)
    # Noise makes squares at a patch's rim uneven.
    return large | (_neighbour_mask(large) & (_distance(pixels, colour) >= _PATCH_FROM / 2))


def label_regions(mask: _Mask) -> npt.NDArray[np.intp]:
    """Label the 4-connected regions of a mask from 1, with 0 outside of it.

    Not 8-connected: a diagonal outline one pixel wide also encloses its region. Each round spreads
    the smallest label along the runs of all rows and then of all columns, until nothing changes.
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
    """Set each pixel of a run to the run's smallest label; outside the mask runs are single."""
    starts = np.ones(mask.shape, dtype=bool)
    starts[:, 1:] = ~(mask[:, 1:] & mask[:, :-1])
    first = np.flatnonzero(starts)
    smallest = np.minimum.reduceat(label.ravel(), first)
    return np.repeat(smallest, np.diff(first, append=mask.size)).reshape(mask.shape)


def _unmix_edges(
    pixels: _Pixels, key_colour: _Pixels, background: _Mask, *, is_pure: _Mask, tolerance: float
) -> tuple[_Pixels, _Pixels]:
    """Return the figure's unmixed colours and its alpha in [0, 1]."""
    pure = _pure_colours(pixels, key_colour, background, tolerance)
    share = _share_of(pure, pixels, key_colour)
    alpha = np.where(background, 0.0, 1.0).astype(np.float32)
    figure: _Pixels = pixels.copy()
    frontier = background
    if not _is_soft(share, background):
        return figure, alpha
    for _ in range(_REACH):
        edge = _dilate(frontier) & ~background & ~is_pure & (alpha == 1.0) & (share < _OPAQUE_FROM)
        alpha[edge] = np.where(share[edge] < _VISIBLE_FROM, 0.0, share[edge])
        figure[edge] = pure[edge]
        frontier = edge
    return figure, alpha


def _is_soft(share: _Pixels, background: _Mask) -> bool:
    """Tell an antialiased edge from a hard one, whose colours may look mixed by chance."""
    edge = _dilate(background) & ~background
    return bool(edge.any() and (share[edge] < _OPAQUE_FROM).mean() >= _SOFT_FROM)


def _pure_colours(
    pixels: _Pixels, key_colour: _Pixels, background: _Mask, tolerance: float
) -> _Pixels:
    """Return for each pixel the nearby colour that, mixed with the key colour, equals it."""
    pure: _Pixels = pixels.copy()
    for _ in range(_REACH):
        found: _Pixels = pure
        for offered, known in _neighbours(pure, background):
            share = _share_of(offered, pixels, key_colour)
            mixed = key_colour + share[..., None] * (offered - key_colour)
            explains = known & (_distance(mixed, pixels) <= tolerance)
            farther = _contrast(offered, key_colour) > _contrast(found, key_colour)
            found = np.where((explains & farther)[..., None], offered, found)
        pure = found
    return pure


def _contrast(pixels: _Pixels, key_colour: _Pixels) -> _Pixels:
    contrast: _Pixels = np.linalg.norm(pixels - key_colour, axis=-1)
    return contrast


def _share_of(pure: _Pixels, pixels: _Pixels, key_colour: _Pixels) -> _Pixels:
    """Return the share of the pure colour in each pixel, in [0, 1]; the rest is key colour."""
    direction = pure - key_colour
    length = np.maximum((direction**2).sum(axis=-1), 1.0)
    share: _Pixels = ((pixels - key_colour) * direction).sum(axis=-1) / length
    within: _Pixels = share.clip(0.0, 1.0)
    return within


def _neighbours(pure: _Pixels, background: _Mask) -> list[tuple[_Pixels, _Mask]]:
    """Return the image shifted by up to a pixel each way, each with the mask of figure pixels."""
    height, width = background.shape
    colours = np.pad(pure, ((1, 1), (1, 1), (0, 0)), mode="edge")
    known = np.pad(~background, 1, constant_values=False)
    windows = [(np.s_[y : y + height], np.s_[x : x + width]) for y in range(3) for x in range(3)]
    return [(colours[window], known[window]) for window in windows]


def _neighbour_mask(mask: _Mask) -> _Mask:
    """Return the mask of 4-neighbours, so that diagonal outlines keep their inside."""
    padded = np.pad(mask, 1, constant_values=False)
    return padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]


def _dilate(mask: _Mask) -> _Mask:
    """Dilate the mask by its 8-neighbours."""
    height, width = mask.shape
    padded = np.pad(mask, 1, constant_values=False)
    dilated = np.zeros_like(mask)
    for y in range(3):
        for x in range(3):
            dilated |= padded[y : y + height, x : x + width]
    return dilated
