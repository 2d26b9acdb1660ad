"""How long a job rests whose worker has just died, so that a broken driver is not hammered."""

from __future__ import annotations

from collections.abc import Sequence


class BackOff:
    """Remembers which jobs rest. Times are seconds of one monotonic clock."""

    def __init__(self, delays_s: Sequence[float]) -> None:
        self._delays_s = delays_s
        self._rests_until: dict[str, float] = {}

    def lost(self, job_id: str, losses: int, now: float) -> None:
        """Let a job rest after its worker died for the `losses`th time, from 1 on."""
        delay_s = self._delays_s[min(losses, len(self._delays_s)) - 1]
        self._rests_until[job_id] = now + delay_s

    def rests(self, job_id: str, now: float) -> bool:
        return self._rests_until.get(job_id, now) > now

    def next_end(self, seen_at: float) -> float | None:
        """Return the first end of a rest after `seen_at`, the moment at which the caller looked
        who rests; None when there is none. It may have passed meanwhile: look again.
        """
        self._rests_until = {job: end for job, end in self._rests_until.items() if end > seen_at}
        return min(self._rests_until.values(), default=None)
