"""A shim of torchvision.transforms for diffusers' DreamBooth script, on Pillow and NumPy.

`diffusers_script` puts this file beside a copy of the script, for torchvision has no build for
every torch.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image


class InterpolationMode:
    """Pillow's filters by torchvision's names."""

    NEAREST = Image.Resampling.NEAREST
    BILINEAR = Image.Resampling.BILINEAR
    BICUBIC = Image.Resampling.BICUBIC
    LANCZOS = Image.Resampling.LANCZOS


class Compose:
    def __init__(self, steps: Sequence[Callable[[Any], Any]]) -> None:
        self.steps = steps

    def __call__(self, picture: Any) -> Any:
        for step in self.steps:
            picture = step(picture)
        return picture


class Resize:
    """Scale the shorter side to `size` px."""

    def __init__(
        self, size: int, interpolation: Image.Resampling = InterpolationMode.BILINEAR
    ) -> None:
        self.size, self.interpolation = size, interpolation

    def __call__(self, picture: Image.Image) -> Image.Image:
        scale = self.size / min(picture.size)
        width, height = (round(side * scale) for side in picture.size)
        return picture.resize((width, height), self.interpolation)


class CenterCrop:
    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, picture: Image.Image) -> Image.Image:
        left, top = self.corner(picture.width - self.size, picture.height - self.size)
        return picture.crop((left, top, left + self.size, top + self.size))

    def corner(self, spare_width: int, spare_height: int) -> tuple[int, int]:
        return spare_width // 2, spare_height // 2


class RandomCrop(CenterCrop):
    def corner(self, spare_width: int, spare_height: int) -> tuple[int, int]:
        return random.randint(0, spare_width), random.randint(0, spare_height)


class ToTensor:
    """Convert (H, W, 3) uint8 to (3, H, W) in [0, 1]."""

    def __call__(self, picture: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.asarray(picture, np.float32) / 255).permute(2, 0, 1)


class Normalize:
    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean, self.std = torch.tensor(mean), torch.tensor(std)

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        return (values - self.mean.view(-1, 1, 1)) / self.std.view(-1, 1, 1)
