"""Keep what did not change: decode the difference, not the picture.

An autoencoder, or resampling to a model's size and back, gives a picture back inexactly. What it
loses of the original, the residual, is added again wherever the changed picture still shows it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

_Pixels = npt.NDArray[np.float32]

# Levels of change in a pixel up to which its whole residual returns, and from which none does.
_SAME, _OTHER = 8.0, 48.0
_OPAQUE = 255
_BIN = 8  # levels a channel
_LIKE = 40.0  # levels; standard deviation of colours that the autoencoder confuses with each other
_FEW = 0.005  # of the pixels; a colour that only so few had hardly counts
_ROWS = 2048


def add_residual(changed: _Pixels, reconstruction: _Pixels, original: _Pixels) -> _Pixels:
    """Add `original - reconstruction` where `changed` is still about as the reconstruction.

    All are (H, W, C) in levels. Equal pixels become the original's, much changed ones stay.
    """
    weight = _unchanged_weight(changed, reconstruction)
    return changed + weight * (original - reconstruction)


def add_residual_by_colour(changed: _Pixels, reconstruction: _Pixels, original: _Pixels) -> _Pixels:
    """Add the pixel's own residual where it is unchanged, else the mean residual of its colour.

    So a sky which the autoencoder shows as cyan is sky again, also where it has moved; colours
    that the reconstruction does not have stay. (H, W, 3) in levels.
    """
    residual = original - reconstruction
    weight = _unchanged_weight(changed, reconstruction)
    by_colour = _mean_residuals(changed, reconstruction, residual)
    return changed + weight * residual + (1 - weight) * by_colour


def restore_unchanged(
    finished: Image.Image, changed: Image.Image, original: Image.Image, shown: Image.Image
) -> Image.Image:
    """Give the pixels of `shown` to a finished RGBA image where `changed` differs from the original
    less than can be seen; all are of one size.
    """
    before, after = (np.asarray(each.convert("RGBA")) for each in (original, changed))
    difference = np.abs(before.astype(np.int16) - after).max(axis=-1)
    is_same = (difference <= _SAME) & (before[..., 3] == _OPAQUE)
    pixels = np.array(finished.convert("RGBA"))
    pixels[is_same] = np.asarray(shown.convert("RGBA"))[is_same]
    return Image.fromarray(pixels)


def _unchanged_weight(changed: _Pixels, reconstruction: _Pixels) -> _Pixels:
    change = np.abs(changed - reconstruction).max(axis=-1, keepdims=True)
    part = ((change - _SAME) / (_OTHER - _SAME)).clip(0, 1)
    weight: _Pixels = (1 - part * part * (3 - 2 * part)).astype(np.float32)
    return weight


def _mean_residuals(changed: _Pixels, reconstruction: _Pixels, residual: _Pixels) -> _Pixels:
    """Return for each pixel the mean residual of the reconstruction's pixels of a like colour: a
    Nadaraya-Watson regression over colours, which are binned to keep large images fast.
    """
    colours, counts, residuals = _binned(reconstruction, residual)
    wanted, index = _bins(changed)
    means = np.empty((len(wanted), residual.shape[-1]), np.float32)
    for start in range(0, len(wanted), _ROWS):
        rows = wanted[start : start + _ROWS]
        distances = np.square(rows[:, None] - colours[None]).sum(axis=-1)
        likeness = np.exp(-distances / _LIKE**2) * counts
        total = likeness.sum(axis=1, keepdims=True) + _FEW * counts.sum()
        means[start : start + _ROWS] = likeness @ residuals / total
    return means[index].reshape(changed.shape)


def _binned(pixels: _Pixels, residual: _Pixels) -> tuple[_Pixels, _Pixels, _Pixels]:
    """Return the colours that the pixels have, how many have each, and their mean residuals."""
    colours, index = _bins(pixels)
    counts = np.bincount(index).astype(np.float32)
    flat = residual.reshape(-1, residual.shape[-1])
    sums = [np.bincount(index, flat[:, channel]) for channel in range(flat.shape[1])]
    return colours, counts, (np.stack(sums, axis=-1) / counts[:, None]).astype(np.float32)


def _bins(pixels: _Pixels) -> tuple[_Pixels, npt.NDArray[np.intp]]:
    """Return the distinct colours, rounded to bins, and each pixel's index among them."""
    levels = np.round(pixels.reshape(-1, pixels.shape[-1]) / _BIN).astype(np.int64)
    keys = ((levels[:, 0] << 20) + (levels[:, 1] << 10) + levels[:, 2]).ravel()
    _, first, index = np.unique(keys, return_index=True, return_inverse=True)
    return (levels[first] * _BIN).astype(np.float32), index.ravel()
