"""Low-rank factors of one layer's update, ΔW = up · down, and the distance of two updates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelsheet.files.safetensors_file import Array


@dataclass(frozen=True)
class LoraFactors:
    """Factors of ΔW: `up` (rows, rank) and `down` (rank, fan-in), fp32.

    The scale alpha/rank is folded into `up`.
    """

    up: Array
    down: Array

    @property
    def rank(self) -> int:
        return int(self.down.shape[0])

    def up_of(self, kernel: int) -> Array:
        """Return `up` in the layer's shape: for a convolution (`kernel` > 0) a 1 x 1 one."""
        return self.up[:, :, None, None] if kernel else self.up

    def down_of(self, kernel: int, columns: int) -> Array:
        """Return `down` in the layer's shape: for a convolution with the layer's own kernel."""
        if not kernel:
            return self.down
        return self.down.reshape(self.rank, columns, kernel, kernel)

    def padded(self, rank: int) -> LoraFactors:
        """Return factors of the same ΔW at a larger rank, padded with zeros."""
        more = rank - self.rank
        return LoraFactors(
            np.pad(self.up, ((0, 0), (0, more))), np.pad(self.down, ((0, more), (0, 0)))
        )


def delta_norm(factors: LoraFactors) -> float:
    """Return the Frobenius norm of ΔW."""
    # By triangular QR factors: ΔW itself would be hundreds of times larger.
    up = np.linalg.qr(factors.up.astype(np.float64)).R
    down = np.linalg.qr(factors.down.T.astype(np.float64)).R
    return float(np.linalg.norm(up @ down.T))


def delta_distance(one: LoraFactors, other: LoraFactors) -> float:
    """Return the Frobenius norm of the difference of two updates of one layer.

    It bounds the difference of every entry.
    """
    return delta_norm(
        LoraFactors(np.hstack([one.up, -other.up]), np.vstack([one.down, other.down])),
    )
