"""Image matting: cut a figure out of any background with BiRefNet in its light build (Zheng et al.
2024), an ONNX graph that runs on the CPU. Opens only the file that `models download` fetched and
compared with its checksum.
"""

from __future__ import annotations

import os
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

# ImageNet's normalization.
_MEAN = np.array((0.485, 0.456, 0.406), np.float32)
_STD = np.array((0.229, 0.224, 0.225), np.float32)
_DEFAULT_SIDE = 1024  # px, where the graph leaves its input size open
_ALPHA_MARGIN = 0.02  # of alpha at both ends that counts as transparent and as opaque
_PINHOLE = 64  # enclosed holes smaller than this part of the longer side, squared, are filled
_WIDE, _NARROW = 12, 170  # parts of the longer side over which colours are averaged
_EPSILON = 1e-5

_Alpha = npt.NDArray[np.float32]
_Colours = npt.NDArray[np.float32]


class MattingModel:
    """BiRefNet's ONNX session; loaded once and kept."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._input = session.get_inputs()[0]

    @classmethod
    def load(cls, data_dir: Path) -> MattingModel:
        """Load the downloaded model.

        Raises ModelMissing without it, UnsafeModel for a damaged file.
        """
        source = DOWNLOAD_SOURCES["matting"]
        file = source.target(data_dir) / source.mark
        if not file.is_file():
            raise ModelMissing(
                "The matting model is not here. Get it with: modelsheet models download matting"
            )
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # also where no worker's environment is
        import onnxruntime  # slow to import, and needed for matting only

        onnxruntime.disable_telemetry_events()  # Windows does not know the variable

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.enable_cpu_mem_arena = False  # it would hold gigabytes between images
        options.log_severity_level = 3  # errors, which are raised anyway
        try:
            session = onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 -- onnxruntime's exceptions have no common base
            raise UnsafeModel(
                f"The matting model in {file.parent} is damaged. Delete that folder and download "
                "it again."
            ) from error
        return cls(session)

    def cut_out(self, image: Image.Image, *, hard_edge: bool = False) -> Image.Image:
        """Make all but the figure transparent; RGBA of the same size, in straight alpha.

        With `hard_edge` each pixel is either opaque or transparent. Raises OutOfMemory.
        """
        alpha = _fill_pinholes(self.predict_alpha(image))
        if hard_edge:
            alpha = (alpha >= 0.5).astype(np.float32)
        observed = np.asarray(image.convert("RGB"), dtype=np.float32)
        foreground = estimate_foreground(observed, alpha)
        rgba = np.concatenate([foreground, alpha[..., None] * 255], axis=-1)
        return bleed_colours(Image.fromarray(rgba.round().clip(0, 255).astype(np.uint8)))

    def predict_alpha(self, image: Image.Image) -> _Alpha:
        """Predict the figure's share of each pixel (h, w), in [0, 1]. Raises OutOfMemory."""
        sides = [s if isinstance(s, int) else _DEFAULT_SIDE for s in self._input.shape[-2:]]
        size = (sides[1], sides[0])
        pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC))
        levels = (pixels.astype(np.float32) / 255 - _MEAN) / _STD
        try:
            (logits, *_) = self._session.run(
                None, {self._input.name: levels.transpose(2, 0, 1)[None]}
            )
        except Exception as error:  # noqa: BLE001 -- as above; a checked graph fails for one reason
            raise OutOfMemory(
                "There is not enough memory for the matting model. Close other programs, or cut "
                "out by keying."
            ) from error
        predicted = 1 / (1 + np.exp(-logits[0, 0].astype(np.float32).clip(-40, 40)))
        resized = Image.fromarray(predicted).resize(image.size, Image.Resampling.BICUBIC)
        stretched = (np.asarray(resized, dtype=np.float32) - _ALPHA_MARGIN) / (
            1 - 2 * _ALPHA_MARGIN
        )
        alpha: _Alpha = stretched.clip(0, 1)
        return alpha


def _fill_pinholes(alpha: _Alpha) -> _Alpha:
    """Fill enclosed holes that are too small to be part of the figure."""
    region = label_regions(alpha < 0.5)
    size = np.bincount(region.ravel())
    outside = np.concatenate([region[0], region[-1], region[:, 0], region[:, -1]])
    small = size < (max(alpha.shape) / _PINHOLE) ** 2
    small[[0, *np.unique(outside)]] = False
    filled: _Alpha = np.where(small[region], np.float32(1), alpha)
    return filled


def estimate_foreground(observed: _Colours, alpha: _Alpha) -> _Colours:
    """Estimate the figure's colours (h, w, 3) where the background shines through: averaged around
    each pixel, first widely and then nearby (Forte 2021, Blur-Fusion); opaque pixels stay.
    """
    side, opacity = max(alpha.shape), alpha[..., None]
    foreground = background = observed
    for part in (_WIDE, _NARROW):
        radius = max(1, side // part)
        foreground, background = _blur_fusion(observed, foreground, background, opacity, radius)
    own: _Colours = np.where(opacity < 1, foreground, observed).clip(0, 255).astype(np.float32)
    return own


def _blur_fusion(
    observed: _Colours, foreground: _Colours, background: _Colours, opacity: _Alpha, radius: int
) -> tuple[_Colours, _Colours]:
    """Average both layers around each pixel, weighted by alpha, and add to the foreground the
    residual of their mixture.
    """
    weight, rest = _box_blur(opacity, radius), _box_blur(1 - opacity, radius)
    blurred = _box_blur(foreground * opacity, radius) / (weight + _EPSILON)
    blurred_background = _box_blur(background * (1 - opacity), radius) / (rest + _EPSILON)
    residual = observed - opacity * blurred - (1 - opacity) * blurred_background
    return (blurred + opacity * residual).clip(0, 255), blurred_background


def _box_blur(values: npt.NDArray[np.float32], radius: int) -> npt.NDArray[np.float32]:
    """Average over squares of 2 * radius + 1 px; the border pixels are repeated outwards."""
    span = 2 * radius + 1
    room = ((radius + 1, radius), (radius + 1, radius), (0, 0))
    sums = np.pad(values.astype(np.float64), room, mode="edge").cumsum(0).cumsum(1)
    rows = sums[span:] - sums[:-span]
    means: npt.NDArray[np.float32] = (rows[:, span:] - rows[:, :-span]) / span**2
    return means.astype(np.float32)
