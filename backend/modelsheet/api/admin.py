"""What an administrator sees: workers, waiting jobs, statistics, artists' tokens."""

from __future__ import annotations

from modelsheet.api.jobs import JobState
from modelsheet.api.types import ArtistName, Count, Model


class WorkerView(Model):
    """One that carries out jobs: a process or a cluster's GPU, and the job it has, if any."""

    name: str
    job_id: str = ""
    base_model: str = ""


class WaitView(Model):
    """A job that waits: since when, in Unix seconds, and for what."""

    job_id: str
    owner: str
    kind: str
    title: str
    since: float
    reason: str


class ArtistView(Model):
    """What an artist has running, waiting and had: `used_s` seconds of GPU since the service began.
    `name` is empty for the one who runs it.
    """

    name: str
    running: Count
    waiting: Count
    used_s: float


class WorkloadView(Model):
    """Who works at what, who waits for what, the next one of its urgency first, and who had how
    much.
    """

    workers: list[WorkerView]
    waiting: list[WaitView]
    artists: list[ArtistView]


class KindStats(Model):
    """The jobs of one kind that the ledger still holds: how many by state, how many attempts were
    lost, and median seconds from asking to the start and from the start to a good end; None before
    there is any.
    """

    kind: str
    states: dict[JobState, Count]
    lost: Count
    wait_s: float | None = None
    run_s: float | None = None


class StatsView(Model):
    """Counts and durations of the jobs still known, nothing of what they were about. `since`: when
    the oldest was asked for, in Unix seconds. `free_bytes` are those of the data folder's disk.
    """

    since: float | None
    free_bytes: Count
    kinds: list[KindStats]


class TokenRequest(Model):
    """A token for one artist of a shared machine."""

    name: ArtistName


class LimitsRequest(Model):
    """How many jobs of an artist may run at once and how many may wait; 0 for the usual: as many
    as there is room for, and 200.
    """

    gpus: Count = 0
    queued: Count = 0


class TokenView(Model):
    """An artist with a token, and their limits, 0 for none of their own."""

    name: ArtistName
    created: float
    gpus: Count = 0
    queued: Count = 0


class TokenList(Model):
    tokens: list[TokenView]


class NewToken(Model):
    """The token itself is said this once; the service keeps only its sha256."""

    name: ArtistName
    token: str
