"""One layer's change as two thin matrices, ΔW = up · down, and how far two such changes differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelsheet.files.safetensors_file import Array


@dataclass(frozen=True)
class LoraFactors:
    """`up` (rows, rank) and `down` (rank, fan-in), fp32; the scale alpha/rank is folded into
    `up`.
    """

    up: Array
    down: Array

    @property
    def rank(self) -> int:
        return int(self.down.shape[0])

    def up_of(self, kernel: int) -> Array:
        """`up` as the layer keeps it: a convolution's (`kernel` > 0) is one of 1 x 1."""
        return self.up[:, :, None, None] if kernel else self.up

    def down_of(self, kernel: int, columns: int) -> Array:
        """`down` as the layer keeps it: a convolution's has the layer's own kernel."""
        if not kernel:
            return self.down
        return self.down.reshape(self.rank, columns, kernel, kernel)

    def padded(self, rank: int) -> LoraFactors:
        """The same change at a larger rank: zeros are added."""
        more = rank - self.rank
        return LoraFactors(
            np.pad(self.up, ((0, 0), (0, more))), np.pad(self.down, ((0, more), (0, 0)))
        )


def delta_norm(factors: LoraFactors) -> float:
    """Frobenius norm of ΔW."""
    # Triangular factors: a whole ΔW would be hundreds of times larger.
    up = np.linalg.qr(factors.up.astype(np.float64)).R
    down = np.linalg.qr(factors.down.T.astype(np.float64)).R
    return float(np.linalg.norm(up @ down.T))


def delta_distance(one: LoraFactors, other: LoraFactors) -> float:
    """Frobenius norm of the difference of two changes of one layer; no entry differs by more."""
    return delta_norm(
        LoraFactors(np.hstack([one.up, -other.up]), np.vstack([one.down, other.down])),
    )
