"""Delay the retry of a job whose worker died, so that a broken driver is not hit again at once."""

from __future__ import annotations

from collections.abc import Sequence


class Backoff:
    """The retry times of jobs, in seconds of one monotonic clock."""

    def __init__(self, delays_s: Sequence[float]) -> None:
        self._delays_s = delays_s
        self._retry_at: dict[str, float] = {}

    def delay(self, job_id: str, losses: int, now: float) -> None:
        """Delay a job after its worker died for the `losses`th time, counted from 1."""
        delay_s = self._delays_s[min(losses, len(self._delays_s)) - 1]
        self._retry_at[job_id] = now + delay_s

    def is_delayed(self, job_id: str, now: float) -> bool:
        """Return True until the job's retry time."""
        return self._retry_at.get(job_id, now) > now

    def delayed(self, now: float) -> list[str]:
        """Return the jobs whose retry time has not come."""
        return [job_id for job_id, at in self._retry_at.items() if at > now]

    def next_retry(self, seen_at: float) -> float | None:
        """Return the earliest retry time after `seen_at` (monotonic seconds), or None. The result
        may already lie in the past.
        """
        self._retry_at = {job: at for job, at in self._retry_at.items() if at > seen_at}
        return min(self._retry_at.values(), default=None)
