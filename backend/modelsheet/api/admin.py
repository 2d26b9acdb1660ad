"""Administration of a service: workers, waiting jobs, statistics, artists' tokens and limits."""

from __future__ import annotations

from modelsheet.api.jobs import JobState
from modelsheet.api.types import ApiModel, ArtistName, Count


class WorkerView(ApiModel):
    """A worker (a process, or a GPU of a cluster) and the job it runs, if any."""

    name: str
    job_id: str = ""
    base_model: str = ""


class WaitingJobView(ApiModel):
    """A waiting job: `since` in Unix seconds, and the reason why it waits."""

    job_id: str
    owner: str
    kind: str
    title: str
    since: float
    reason: str


class ArtistView(ApiModel):
    """An artist's running and waiting jobs, and `used_s` GPU seconds since the service started.

    `name` is empty for the administrator.
    """

    name: str
    running: Count
    waiting: Count
    used_s: float


class WorkloadView(ApiModel):
    """Load of a service: workers with their jobs, waiting jobs, and GPU time by artist.

    Waiting jobs of one priority stand in the order in which they start.
    """

    workers: list[WorkerView]
    waiting: list[WaitingJobView]
    artists: list[ArtistView]


class KindStats(ApiModel):
    """Statistics of the stored jobs of one kind: counts by state, lost attempts, median seconds.

    `wait_s` is from submission to start, `run_s` from start to success; None without such a job.
    """

    kind: str
    states: dict[JobState, Count]
    lost: Count
    wait_s: float | None = None
    run_s: float | None = None


class StatsView(ApiModel):
    """Counts and durations of all stored jobs, without their content.

    `since`: submission of the oldest, in Unix seconds. `free_bytes`: of the data folder's disk.
    """

    since: float | None
    free_bytes: Count
    kinds: list[KindStats]


class TokenRequest(ApiModel):
    """Create a token for one artist of a shared machine."""

    name: ArtistName


class LimitsRequest(ApiModel):
    """Limit how many jobs of an artist run at once (`gpus`) and wait (`queued`).

    0 is the default: as many as there are workers, and 200.
    """

    gpus: Count = 0
    queued: Count = 0


class TokenView(ApiModel):
    """An artist with a token; limits of 0 are the default ones."""

    name: ArtistName
    created: float
    gpus: Count = 0
    queued: Count = 0


class TokenList(ApiModel):
    tokens: list[TokenView]


class NewToken(ApiModel):
    """A new token in clear, returned only once; the service keeps its sha256."""

    name: ArtistName
    token: str
