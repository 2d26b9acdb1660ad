"""Times of frames in a document, which counts whole frames of its own rate."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

FASTEST = 60  # frames a second
USUAL = 10


def exact_rate(durations_ms: Sequence[int]) -> int:
    """Return the lowest frame rate at which each frame lasts for whole frames of the document."""
    known = [one for one in durations_ms if one > 0]
    if not known:
        return USUAL
    return max(1, min(FASTEST, round(1000 / functools.reduce(math.gcd, known))))


def key_times(count: int, frame_ms: int, frames_per_second: int) -> list[int]:
    """Return when each of `count` frames begins, and last when all have ended."""
    times = [0]
    for number in range(1, count + 1):
        exact = round(number * frame_ms * frames_per_second / 1000)
        times.append(max(times[-1] + 1, exact))
    return times
