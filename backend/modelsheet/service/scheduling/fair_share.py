"""Share GPU time fairly among artists: the one who used least comes first. Pure arithmetic.

Start-time fair queueing (Goyal, Vin and Cheng, 1996): each artist has an account of the seconds
their jobs ran, and the lowest account is served next. A job's duration is not known before it ends,
so it is charged what jobs of its kind took lately, and corrected afterwards. An artist who was away
has no claim on the time they did not use.

Accounts that differ by less than half a job count as equal: among those artists the one comes first
whose models a free worker has in memory, which saves loading.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from modelsheet.service.queue.job import Job

_NEWEST_WEIGHT = 0.3  # of the last job in the expected duration of its kind
_EQUAL_WITHIN = 0.5  # of a job's expected duration
Warmth = Callable[[Job], int]
_Account = tuple[str, int]  # artist and priority: generating does not use up learning time


def no_warmth(job: Job) -> int:
    """Return 0: no worker has anything in memory."""
    return 0


class FairShare:
    """The artists' accounts in seconds, separate for each priority."""

    def __init__(self) -> None:
        self._used_s: dict[_Account, float] = {}
        self._expected_s: dict[str, float] = {}  # by kind
        self._charged_s: dict[str, float] = {}  # by job
        self._running: dict[str, _Account] = {}
        self._active: set[_Account] = set()
        self._starts = 0
        self._last_start: dict[_Account, int] = {}  # the number of the account's last start
        self.total_s: defaultdict[str, float] = defaultdict(float)  # by artist, in all

    def note_queued(self, queued: Iterable[Job]) -> None:
        """Raise the accounts of artists who were away to the lowest of those who were active."""
        active = {_account(job) for job in queued} | set(self._running.values())
        for account in active - self._active:
            floor = [self._used(other) for other in self._active if other[1] == account[1]]
            self._used_s[account] = max(self._used(account), min(floor, default=0.0))
        self._active = active

    def choose(self, jobs: Sequence[Job], warmth: Warmth = no_warmth) -> Job | None:
        """Return the first job of the artist with the lowest account. Among equal accounts, the
        job with the warmest models comes first, then the lower account, then the older last start.
        """
        firsts: dict[_Account, Job] = {}
        for job in jobs:
            firsts.setdefault(_account(job), job)
        least_s = min(map(self._used, firsts), default=0.0)

        def rank(job: Job) -> tuple[bool, int, float, int]:
            account = _account(job)
            above_s = self._used(account) - least_s
            is_ahead = above_s > self._expected_s.get(job.view.kind, 0.0) * _EQUAL_WITHIN
            return is_ahead, -warmth(job), above_s, self._last_start.get(account, 0)

        return min(firsts.values(), key=rank, default=None)

    def started(self, job: Job) -> None:
        """Charge a job's artist the expected duration."""
        account = _account(job)
        self._starts += 1
        self._last_start[account] = self._starts
        self._running[job.id] = account
        self._charged_s[job.id] = self._expected_s.get(job.view.kind, 0.0)
        self._used_s[account] = self._used(account) + self._charged_s[job.id]

    def ended(self, job: Job, ran_s: float) -> None:
        """Charge a job's artist the true duration instead."""
        account = _account(job)
        self._running.pop(job.id, None)
        charged_s = self._charged_s.pop(job.id, 0.0)
        self._used_s[account] = self._used(account) + ran_s - charged_s
        self.total_s[job.view.owner] += ran_s
        known = self._expected_s.get(job.view.kind, ran_s)
        self._expected_s[job.view.kind] = known + _NEWEST_WEIGHT * (ran_s - known)

    def _used(self, account: _Account) -> float:
        return self._used_s.get(account, 0.0)


def _account(job: Job) -> _Account:
    return job.view.owner, job.priority
