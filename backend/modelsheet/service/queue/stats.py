"""Compute counts and durations of all stored jobs for the operator."""

from __future__ import annotations

import sqlite3
import statistics
from collections import Counter
from collections.abc import Sequence

from modelsheet.api.admin import KindStats, StatsView


def stats_of(rows: Sequence[sqlite3.Row], free_bytes: int) -> StatsView:
    """Return the statistics of the rows of JobTable.timings, oldest first."""
    kinds = sorted({row["kind"] for row in rows})
    return StatsView(
        since=rows[0]["created"] if rows else None,
        free_bytes=free_bytes,
        kinds=[_of_kind(kind, [row for row in rows if row["kind"] == kind]) for kind in kinds],
    )


def _of_kind(kind: str, rows: Sequence[sqlite3.Row]) -> KindStats:
    started = [row for row in rows if row["started"] is not None]
    done = [row for row in started if row["state"] == "done"]
    return KindStats(
        kind=kind,
        states=dict(Counter(row["state"] for row in rows)),
        lost=sum(row["attempt"] - 1 for row in rows),
        wait_s=_median([row["started"] - row["created"] for row in started]),
        run_s=_median([row["finished"] - row["started"] for row in done]),
    )


def _median(seconds: Sequence[float]) -> float | None:
    """Return the median, at least 0: the clock may have been set back during a job."""
    return max(0.0, statistics.median(seconds)) if seconds else None
