"""A pool of composed pictures in memory, refreshed now and then, from which batches are drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from sprite_training.sprite32.compositing import Composer, Mixture, Picture, caption
from sprite_training.sprite32.tiles import SIZE

Encode = Callable[[torch.Tensor], torch.Tensor]


class PicturePool:
    """`size` pictures with their words; `latents` too once an encoder is given."""

    def __init__(
        self, composer: Composer | Mixture, size: int, encode: Encode | None = None
    ) -> None:
        self.composer, self.size, self.encode = composer, size, encode
        self.rgb = np.zeros((size, SIZE, SIZE, 3), np.uint8)
        self.alpha = np.zeros((size, SIZE, SIZE), np.uint8)
        self._pictures: dict[int, Picture] = {}
        self.latents: torch.Tensor | None = None
        self._next = 0
        self.refresh(size)

    def refresh(self, count: int) -> None:
        """Replace the `count` oldest pictures by new ones."""
        places = [(self._next + i) % self.size for i in range(count)]
        for place in places:
            picture = self.composer.picture()
            self.rgb[place] = picture.rgb
            self.alpha[place] = picture.pixels[..., 3]
            self._pictures[place] = picture
        self._next = (self._next + count) % self.size
        if self.encode is not None:
            self._encode(np.array(places))

    def draw(self, count: int) -> np.ndarray:
        """Indices of a random batch."""
        return self.composer.rng.integers(self.size, size=count)

    def images(self, places: np.ndarray) -> torch.Tensor:
        """(B, 3, 32, 32) in [-1, 1]."""
        return as_tensor(self.rgb[places])

    def masks(self, places: np.ndarray) -> torch.Tensor:
        """(B, 1, 32, 32) in [0, 1]: where the figure is."""
        return torch.from_numpy(self.alpha[places]).float().div(255).unsqueeze(1)

    def flatness(self, places: np.ndarray) -> torch.Tensor:
        """(B,) of 1.0 where the picture stands on one colour, else 0.0."""
        flat = [
            np.ptp(picture.backdrop, axis=(0, 1)).max() == 0 for picture in self.pictures(places)
        ]
        return torch.tensor(flat).float()

    def captions(self, places: np.ndarray) -> list[str]:
        rng = self.composer.rng
        return [caption(p.subject, p.details, p.background, rng) for p in self.pictures(places)]

    def pictures(self, places: np.ndarray) -> list[Picture]:
        return [self._pictures[place] for place in places]

    def _encode(self, places: np.ndarray) -> None:
        assert self.encode is not None
        for chunk in np.array_split(places, max(1, len(places) // 256)):
            latents = self.encode(self.images(chunk)).cpu()
            if self.latents is None:
                self.latents = torch.zeros(self.size, *latents.shape[1:])
            self.latents[chunk] = latents


def as_tensor(rgb: np.ndarray) -> torch.Tensor:
    """(B, H, W, 3) uint8 to (B, 3, H, W) float in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(rgb)).permute(0, 3, 1, 2).float().div(127.5).sub(1)
