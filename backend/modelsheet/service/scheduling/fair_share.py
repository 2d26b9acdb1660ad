"""Fair shares of the GPUs: who had least of them comes first. Pure arithmetic.

Start-time fair queueing (Goyal, Vin and Cheng, 1996): each artist has an account of the seconds
their jobs ran, and the lowest account is served next. What a job will take is not known before it
ends, so it is charged what jobs of its kind took lately, and corrected afterwards. Whoever was away
does not come back with a claim on the time they did not use.

Accounts nearer to each other than half a job are alike: among those artists the one comes first
whose models a free worker has in memory, so that turns cost as little loading as can be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from modelsheet.service.queue.job import Job

_NEWEST = 0.3  # weight of the last job in what its kind is expected to take
_ALIKE = 0.5  # of a job
Warmth = Callable[[Job], int]
_Artist = tuple[str, int]  # and urgency: learning is not paid with pictures


def no_warmth(job: Job) -> int:
    return 0


class Shares:
    """The artists' accounts in seconds, for jobs of each urgency apart."""

    def __init__(self) -> None:
        self._accounts: dict[_Artist, float] = {}
        self._expected_s: dict[str, float] = {}  # by kind
        self._charged_s: dict[str, float] = {}  # by job
        self._running: dict[str, _Artist] = {}
        self._active: set[_Artist] = set()
        self._turn = 0
        self.used_s: defaultdict[str, float] = defaultdict(float)  # by artist, in all
        self._served: dict[_Artist, int] = {}

    def welcome(self, queued: Iterable[Job]) -> None:
        """Take note of who waits; those who just came begin where the others stand."""
        active = {_artist(job) for job in queued} | set(self._running.values())
        for artist in active - self._active:
            floor = [self._account(other) for other in self._active if other[1] == artist[1]]
            self._accounts[artist] = max(self._account(artist), min(floor, default=0.0))
        self._active = active

    def fairest(self, jobs: Sequence[Job], warmth: Warmth = no_warmth) -> Job | None:
        """Return the first job of the artist who had least; of those alike, the warmest, and of
        those who waits longest.
        """
        firsts: dict[_Artist, Job] = {}
        for job in jobs:
            firsts.setdefault(_artist(job), job)
        least_s = min(map(self._account, firsts), default=0.0)

        def order(job: Job) -> tuple[bool, int, float, int]:
            artist = _artist(job)
            above_s = self._account(artist) - least_s
            is_ahead = above_s > self._expected_s.get(job.view.kind, 0.0) * _ALIKE
            return is_ahead, -warmth(job), above_s, self._served.get(artist, 0)

        return min(firsts.values(), key=order, default=None)

    def started(self, job: Job) -> None:
        artist = _artist(job)
        self._turn += 1
        self._served[artist] = self._turn
        self._running[job.id] = artist
        self._charged_s[job.id] = self._expected_s.get(job.view.kind, 0.0)
        self._accounts[artist] = self._account(artist) + self._charged_s[job.id]

    def ended(self, job: Job, ran_s: float) -> None:
        artist = _artist(job)
        self._running.pop(job.id, None)
        charged_s = self._charged_s.pop(job.id, 0.0)
        self._accounts[artist] = self._account(artist) + ran_s - charged_s
        self.used_s[job.view.owner] += ran_s
        known = self._expected_s.get(job.view.kind, ran_s)
        self._expected_s[job.view.kind] = known + _NEWEST * (ran_s - known)

    def _account(self, artist: _Artist) -> float:
        return self._accounts.get(artist, 0.0)


def _artist(job: Job) -> _Artist:
    return job.view.owner, job.priority
