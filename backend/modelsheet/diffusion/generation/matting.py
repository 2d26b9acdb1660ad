"""Cutting a figure out of any background with a matting model: BiRefNet in its light build (Zheng
et al. 2024), an ONNX graph that runs on the processor. Only the file that `models download` fetched
and compared is opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from modelsheet.base_models.download_sources import DOWNLOAD_SOURCES
from modelsheet.errors import ModelMissing, OutOfMemory, UnsafeModel
from modelsheet.imaging.keying import label_regions
from modelsheet.imaging.rgba import bleed_colours

# What ImageNet's models read.
_MEAN = np.array((0.485, 0.456, 0.406), np.float32)
_DEVIATION = np.array((0.229, 0.224, 0.225), np.float32)
_FREE_SIDE = 1024  # px; where the graph leaves it open
_UNSURE = 0.02  # of alpha at both ends that is taken for nothing and for all
_PINHOLE = 64  # an enclosed hole smaller than this part of the longer side, squared, is none
_WIDE, _NARROW = 12, 170  # parts of the longer side over which colours are gathered
_LEAST = 1e-5

_Alpha = npt.NDArray[np.float32]
_Colours = npt.NDArray[np.float32]


class Matting:
    """Tells figure from background; loaded once and kept."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._input = session.get_inputs()[0]

    @classmethod
    def load(cls, data_dir: Path) -> Matting:
        """Raises ModelMissing: it was not downloaded. UnsafeModel: the file is damaged."""
        source = DOWNLOAD_SOURCES["matting"]
        file = source.target(data_dir) / source.mark
        if not file.is_file():
            raise ModelMissing(
                "The matting model is not here. Get it with: modelsheet models download matting"
            )
        import onnxruntime  # only who cuts out by a model waits for it

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.enable_cpu_mem_arena = False  # gigabytes between pictures, for nothing
        options.log_severity_level = 3  # errors, which are raised anyway
        try:
            session = onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 -- its exceptions have no base of their own
            raise UnsafeModel(
                f"The matting model in {file.parent} is damaged. Delete that folder and download "
                "it again."
            ) from error
        return cls(session)

    def cut_out(self, picture: Image.Image, *, hard_edge: bool = False) -> Image.Image:
        """Make all but the figure transparent; RGBA of the same size, in straight alpha.

        With `hard_edge` each pixel is either opaque or transparent. Raises OutOfMemory.
        """
        alpha = _without_pinholes(self.alpha_of(picture))
        if hard_edge:
            alpha = (alpha >= 0.5).astype(np.float32)
        seen = np.asarray(picture.convert("RGB"), dtype=np.float32)
        own = figure_colours(seen, alpha)
        rgba = np.concatenate([own, alpha[..., None] * 255], axis=-1)
        return bleed_colours(Image.fromarray(rgba.round().clip(0, 255).astype(np.uint8)))

    def alpha_of(self, picture: Image.Image) -> _Alpha:
        """How much of each pixel (h, w) is figure, in [0, 1]. Raises OutOfMemory."""
        sides = [s if isinstance(s, int) else _FREE_SIDE for s in self._input.shape[-2:]]
        size = (sides[1], sides[0])
        pixels = np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BICUBIC))
        levels = (pixels.astype(np.float32) / 255 - _MEAN) / _DEVIATION
        try:
            (logits, *_) = self._session.run(
                None, {self._input.name: levels.transpose(2, 0, 1)[None]}
            )
        except Exception as error:  # noqa: BLE001 -- as above; a checked graph fails for one reason
            raise OutOfMemory(
                "There is not enough memory for the matting model. Close other programs, or cut "
                "out by keying."
            ) from error
        share = 1 / (1 + np.exp(-logits[0, 0].astype(np.float32).clip(-40, 40)))
        resized = Image.fromarray(share).resize(picture.size, Image.Resampling.BICUBIC)
        certain = (np.asarray(resized, dtype=np.float32) - _UNSURE) / (1 - 2 * _UNSURE)
        alpha: _Alpha = certain.clip(0, 1)
        return alpha


def _without_pinholes(alpha: _Alpha) -> _Alpha:
    """Fill enclosed holes that are too small to be meant."""
    region = label_regions(alpha < 0.5)
    size = np.bincount(region.ravel())
    outside = np.concatenate([region[0], region[-1], region[:, 0], region[:, -1]])
    small = size < (max(alpha.shape) / _PINHOLE) ** 2
    small[[0, *np.unique(outside)]] = False
    filled: _Alpha = np.where(small[region], np.float32(1), alpha)
    return filled


def figure_colours(seen: _Colours, alpha: _Alpha) -> _Colours:
    """The figure's own colours (h, w, 3) where background shines through it: gathered around each
    pixel, first widely and then nearby (Forte 2021, Blur-Fusion); opaque pixels stay as they are.
    """
    side, share = max(alpha.shape), alpha[..., None]
    figure = background = seen
    for part in (_WIDE, _NARROW):
        radius = max(1, side // part)
        figure, background = _gathered(seen, figure, background, share, radius)
    own: _Colours = np.where(share < 1, figure, seen).clip(0, 255).astype(np.float32)
    return own


def _gathered(
    seen: _Colours, figure: _Colours, background: _Colours, share: _Alpha, radius: int
) -> tuple[_Colours, _Colours]:
    """Means around each pixel, weighted by alpha, and what mixing them leaves unexplained."""
    weight, rest = _mean_around(share, radius), _mean_around(1 - share, radius)
    ours = _mean_around(figure * share, radius) / (weight + _LEAST)
    theirs = _mean_around(background * (1 - share), radius) / (rest + _LEAST)
    unexplained = seen - share * ours - (1 - share) * theirs
    return (ours + share * unexplained).clip(0, 255), theirs


def _mean_around(values: npt.NDArray[np.float32], radius: int) -> npt.NDArray[np.float32]:
    """The mean over a square of 2 * radius + 1 px; edges go on beyond the border."""
    span = 2 * radius + 1
    room = ((radius + 1, radius), (radius + 1, radius), (0, 0))
    sums = np.pad(values.astype(np.float64), room, mode="edge").cumsum(0).cumsum(1)
    rows = sums[span:] - sums[:-span]
    means: npt.NDArray[np.float32] = (rows[:, span:] - rows[:, :-span]) / span**2
    return means.astype(np.float32)
