"""Counts and durations of the jobs that the ledger holds, for the one who runs the service."""

from __future__ import annotations

import sqlite3
import statistics
from collections import Counter
from collections.abc import Sequence

from modelsheet.api.admin import KindStats, StatsView


def stats_of(lives: Sequence[sqlite3.Row], free_bytes: int) -> StatsView:
    """`lives` are kind, state, attempt and moments of jobs, the oldest first."""
    kinds = sorted({life["kind"] for life in lives})
    return StatsView(
        since=lives[0]["created"] if lives else None,
        free_bytes=free_bytes,
        kinds=[_of_kind(kind, [life for life in lives if life["kind"] == kind]) for kind in kinds],
    )


def _of_kind(kind: str, lives: Sequence[sqlite3.Row]) -> KindStats:
    started = [life for life in lives if life["started"] is not None]
    done = [life for life in started if life["state"] == "done"]
    return KindStats(
        kind=kind,
        states=dict(Counter(life["state"] for life in lives)),
        lost=sum(life["attempt"] - 1 for life in lives),
        wait_s=_median([life["started"] - life["created"] for life in started]),
        run_s=_median([life["finished"] - life["started"] for life in done]),
    )


def _median(seconds: Sequence[float]) -> float | None:
    """The clock may have been set back meanwhile; nothing takes less than no time."""
    return max(0.0, statistics.median(seconds)) if seconds else None
