"""Timeouts and intervals of the job queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Timings:
    """All in seconds."""

    cancel_grace_s: float = 10.0  # from CANCEL to the kill
    shutdown_grace_s: float = 10.0  # for the last checkpoint when the service stops
    quiet_s: float = 30.0  # without a heartbeat, then the job is shown as stalled
    stall_s: float = 120.0  # without a heartbeat, then the worker is killed
    hang_s: float = 1800.0  # without progress despite heartbeats, as when a GPU hangs
    backoff_s: Sequence[float] = (1.0, 2.0, 5.0, 10.0, 30.0)  # delays after a worker's deaths
    quantum_s: float = 20.0  # learning runs at most this long before an urgent job may preempt it
    burst_s: float = 60.0  # urgent jobs in a row delay learning at most about this long
    save_interval_s: float = 1.0  # between writes of a job's progress
