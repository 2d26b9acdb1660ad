"""Keep a pool of composed images in memory, refresh it, and draw batches from it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from sprite_training.sprite32.compositing import ComposedImage, Composer, Mixture, caption
from sprite_training.sprite32.tiles import SIZE

Encode = Callable[[torch.Tensor], torch.Tensor]


class ImagePool:
    """`size` composed images with their captions; with an encoder their latents too."""

    def __init__(
        self, composer: Composer | Mixture, size: int, encode: Encode | None = None
    ) -> None:
        self.composer, self.size, self.encode = composer, size, encode
        self.rgb = np.zeros((size, SIZE, SIZE, 3), np.uint8)
        self.alpha = np.zeros((size, SIZE, SIZE), np.uint8)
        self._composed: dict[int, ComposedImage] = {}
        self.latents: torch.Tensor | None = None
        self._next = 0
        self.refresh(size)

    def refresh(self, count: int) -> None:
        """Replace the `count` oldest images by new ones."""
        indices = [(self._next + i) % self.size for i in range(count)]
        for index in indices:
            image = self.composer.compose()
            self.rgb[index] = image.rgb
            self.alpha[index] = image.pixels[..., 3]
            self._composed[index] = image
        self._next = (self._next + count) % self.size
        if self.encode is not None:
            self._encode(np.array(indices))

    def draw(self, count: int) -> np.ndarray:
        """Draw the indices of a random batch."""
        return self.composer.rng.integers(self.size, size=count)

    def images(self, indices: np.ndarray) -> torch.Tensor:
        """Return images (B, 3, 32, 32) in [-1, 1]."""
        return image_tensors(self.rgb[indices])

    def masks(self, indices: np.ndarray) -> torch.Tensor:
        """Return figure masks (B, 1, 32, 32) in [0, 1]."""
        return torch.from_numpy(self.alpha[indices]).float().div(255).unsqueeze(1)

    def flatness(self, indices: np.ndarray) -> torch.Tensor:
        """Return (B,) of 1.0 for a background of one colour, else 0.0."""
        flat = [
            np.ptp(image.background_pixels, axis=(0, 1)).max() == 0
            for image in self.composed(indices)
        ]
        return torch.tensor(flat).float()

    def captions(self, indices: np.ndarray) -> list[str]:
        rng = self.composer.rng
        return [caption(p.subject, p.details, p.background, rng) for p in self.composed(indices)]

    def composed(self, indices: np.ndarray) -> list[ComposedImage]:
        return [self._composed[index] for index in indices]

    def _encode(self, indices: np.ndarray) -> None:
        assert self.encode is not None
        for chunk in np.array_split(indices, max(1, len(indices) // 256)):
            latents = self.encode(self.images(chunk)).cpu()
            if self.latents is None:
                self.latents = torch.zeros(self.size, *latents.shape[1:])
            self.latents[chunk] = latents


def image_tensors(rgb: np.ndarray) -> torch.Tensor:
    """Convert (B, H, W, 3) uint8 to (B, 3, H, W) float in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(rgb)).permute(0, 3, 1, 2).float().div(127.5).sub(1)
