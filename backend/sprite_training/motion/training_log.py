"""Log the mean losses of a training run, now and then."""

from __future__ import annotations

import logging
import time

import torch

from sprite_training.motion.losses import Losses

_logger = logging.getLogger(__name__)
_EVERY_S = 30.0


class TrainingLog:
    """Losses since the last line; a line every half minute."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._losses: list[torch.Tensor] = []
        self._pictures = 0

    def add(self, losses: Losses, seen: int, pictures: int, rate: float) -> None:
        """Add a step of `pictures`; `seen` counts all so far."""
        parts = (losses.total, losses.colour, losses.alpha, losses.paint, losses.hit)
        self._losses.append(torch.stack([part.detach().float() for part in parts]))
        self._pictures += pictures
        passed = time.monotonic() - self._last
        if passed < _EVERY_S:
            return
        total, colour, alpha, paint, hit = torch.stack(self._losses).mean(0).tolist()
        _logger.info(
            "%d pictures, %.1f a second, loss %.4f: colour %.4f, alpha %.4f, paint %.4f; "
            "hit %.3f, learning rate %.2e",
            seen,
            self._pictures / passed,
            total,
            colour,
            alpha,
            paint,
            hit,
            rate,
        )
        self._losses, self._pictures, self._last = [], 0, time.monotonic()
