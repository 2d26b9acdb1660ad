"""A day on a Ray cluster of this machine: artists who learn and paint, a node that dies, a service
that dies, and what is left of it all.

`python -m tests.service.scenarios.cluster_rounds` says the figures: whether every job ended
and none twice, whether a moved job's adapter is that of an undisturbed one, how even the
artists' shares were while all of them waited, and how many pictures found their models in memory.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.service.scenarios.cluster import ToyCluster
from tests.service.scenarios.live import LiveService, View, generate_request, learn_request
from tests.service.toy_runner import LOADS, undisturbed_adapter

_PATIENCE_S = 400.0
_SHORT, _LONG = 20, 250  # steps of learning
_PICTURES = 40  # of each job to paint, 20 ms each
_UNEVEN = 0.2  # of the mean share


@dataclass
class Day:
    """What happened. Shares are the seconds of painting that each artist had in the `window_s` in
    which all of them waited for more; `longest_s` is the longest that one of their jobs took.
    """

    jobs: dict[str, str] = field(default_factory=dict)  # and what each ended as
    learnt: dict[str, int] = field(default_factory=dict)  # and of how many steps
    moved: list[str] = field(default_factory=list)
    went_on: int = 0
    ran_at_the_kill: int = 0
    shares: dict[str, float] = field(default_factory=dict)
    window_s: float = 0.0
    longest_s: float = 0.0
    warm_base: float = 0.0
    warm_adapter: float = 0.0

    @property
    def distance_s(self) -> float:
        """The largest distance of a share from the mean."""
        return max(abs(share - self.mean_s) for share in self.shares.values())

    @property
    def mean_s(self) -> float:
        return sum(self.shares.values()) / len(self.shares)


class ClusterService:
    """The cluster, the service in front of it, and its artists."""

    def __init__(self, home: Path, nodes: int, artists: int) -> None:
        self.cluster = ToyCluster(home / "nodes", nodes)
        self.nodes = nodes
        self.artists = [f"artist-{number}" for number in range(artists)]
        self._tokens: dict[str, str] = {}
        (home / "service").mkdir()
        try:
            self.service = LiveService(home / "service", ray_address=self.cluster.address)
        except BaseException:
            self.cluster.close()
            raise
        self.data = self.service.settings.data_dir

    def close(self) -> None:
        try:
            assert self.service.stop() == 0
        finally:
            self.cluster.close()

    def open_doors(self) -> None:
        for artist in self.artists:
            made = self.service.post("/v1/tokens", {"name": artist})
            assert made.status_code == 201, made.text
            self._tokens[artist] = made.json()["token"]

    def submit(self, artist: str, request: object) -> str:
        answer = requests.post(
            f"{self.service.url}/v1/jobs",
            json=request,
            headers={"Authorization": f"Bearer {self._tokens[artist]}"},
            timeout=60,
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def set_queue(self, state: str) -> None:
        path = f"{self.service.url}/v1/queue"
        answer = self.service.session.put(path, json={"state": state}, timeout=60)
        assert answer.status_code == 200, answer.text

    def views(self) -> dict[str, View]:
        return {view["id"]: view for view in self.service.jobs()}

    def wait_until(self, is_met: Callable[[dict[str, View]], bool]) -> dict[str, View]:
        until = time.monotonic() + _PATIENCE_S
        while not is_met(views := self.views()):
            assert time.monotonic() < until, {v["id"]: v["state"] for v in views.values()}
            time.sleep(0.1)  # it looks at all jobs at once; events are of one each
        return views

    def fences(self) -> dict[str, int]:
        """Read the database of a service that is dead."""
        with sqlite3.connect(self.data / "ledger.sqlite3") as database:
            rows = database.execute("SELECT id, fence FROM jobs").fetchall()
        database.close()
        return dict(rows)

    def moments(self, jobs: Collection[str]) -> dict[str, list[tuple[str, float]]]:
        """When each of these jobs came into which state, in order."""
        found: dict[str, list[tuple[str, float]]] = {job: [] for job in jobs}
        with sqlite3.connect(self.data / "ledger.sqlite3") as database:
            rows = database.execute("SELECT job_id, state, at FROM events ORDER BY seq").fetchall()
        database.close()
        for job, state, at in rows:
            if job in found:
                found[job].append((state, at))
        return found

    def times_ended(self) -> Counter[str]:
        """How often the database says of each job that it was done."""
        with sqlite3.connect(self.data / "ledger.sqlite3") as database:
            rows = database.execute("SELECT job_id FROM events WHERE state = 'done'").fetchall()
        database.close()
        return Counter(job_id for (job_id,) in rows)


def live_through(site: ClusterService, paintings: int, say: Callable[[str], None]) -> Day:
    """Each artist learns twice and has so many paintings. Raises AssertionError."""
    day = Day()
    site.open_doors()
    _learn(site, day, _SHORT)
    site.wait_until(lambda views: all(views[job]["state"] == "done" for job in day.learnt))
    say(f"{len(day.learnt)} subjects are learnt")
    long = _learn(site, day, _LONG)
    _kill_a_node(site, day, long)
    say("a node is dead")
    painted = _paint(site, paintings)
    site.wait_until(functools.partial(_has_nothing_left, site.artists, painted))
    _kill_the_service(site, day)
    say("the service died and is back")
    views = site.wait_until(lambda views: all(view["finished"] for view in views.values()))
    day.jobs = {job: view["state"] for job, view in views.items()}
    day.moved = [job for job in long if views[job]["attempt"] > 1]
    _share(site, day, {job: views[job]["owner"] for job in painted})
    _count_loads(site, day, painted)
    return day


def _learn(site: ClusterService, day: Day, steps: int) -> list[str]:
    jobs = []
    for number, artist in enumerate(site.artists):
        base = ("sprite32", "other")[number % 2]
        own = steps + number  # or all adapters would be the same bytes
        more = {"overrides": {"training_steps": own}, "base_model": base}
        request = learn_request("slow", name=f"Hero {steps}", **more)
        jobs.append(site.submit(artist, request))
        day.learnt[jobs[-1]] = own
    return jobs


def _kill_a_node(site: ClusterService, day: Day, long: list[str]) -> None:
    def is_under_way(views: dict[str, View]) -> bool:
        folders = [site.data / "jobs" / job / "checkpoint" / "state.json" for job in long]
        far = [views[job]["progress"]["step"] >= _LONG // 10 for job in long]
        both = zip(folders, far, strict=True)
        return sum(is_far and folder.exists() for folder, is_far in both) >= site.nodes

    site.wait_until(is_under_way)
    site.cluster.kill_node()
    site.wait_until(lambda views: any(views[job]["attempt"] > 1 for job in long))


def _paint(site: ClusterService, paintings: int) -> list[str]:
    """Have everybody ask for everything before the first of it is begun."""
    pairs = [(artist, seed) for seed in range(paintings) for artist in site.artists]
    site.set_queue("held")
    painted = [
        site.submit(artist, generate_request("@hero_20 slow", count=_PICTURES, seed=seed))
        for artist, seed in pairs
    ]
    site.set_queue("open")
    return painted


def _has_nothing_left(artists: list[str], painted: list[str], views: dict[str, View]) -> bool:
    """Whether some artist's last painting was begun."""
    waiting = {views[job]["owner"] for job in painted if views[job]["state"] == "queued"}
    return waiting != set(artists)


def _share(site: ClusterService, day: Day, painted: dict[str, str]) -> None:
    """Add up from the database what everybody had from when all of them had asked until the first
    of them had nothing waiting any more. `painted` says whose each job is.
    """
    moments = site.moments(painted)
    begun = {job: [at for state, at in said if state == "running"] for job, said in moments.items()}
    began = max(said[0][1] for said in moments.values())
    ended = min(
        max(begun[job][0] for job, owner in painted.items() if owner == artist)
        for artist in site.artists
    )
    day.window_s = ended - began
    day.shares = dict.fromkeys(site.artists, 0.0)
    for job, owner in painted.items():
        for (state, start), (_, end) in itertools.pairwise(moments[job]):
            if state == "running":
                had_s = max(0.0, min(end, ended) - max(start, began))
                day.shares[owner] += had_s
                day.longest_s = max(day.longest_s, had_s)


def _kill_the_service(site: ClusterService, day: Day) -> None:
    site.wait_until(lambda views: any(view["state"] == "running" for view in views.values()))
    site.service.kill()
    before = site.fences()
    with sqlite3.connect(site.data / "ledger.sqlite3") as database:
        running = [
            row[0] for row in database.execute("SELECT id FROM jobs WHERE state = 'running'")
        ]
    database.close()
    site.service.start()
    assert set(site.views()) == set(before), "a job was lost or came twice"
    day.ran_at_the_kill = len(running)
    records = site.data / "job-records"
    after = {job: json.loads((records / f"{job}.json").read_text())["columns"] for job in running}
    day.went_on = sum(after[job]["fence"] == before[job] for job in running)


def _count_loads(site: ClusterService, day: Day, painted: list[str]) -> None:
    lines = (site.cluster.toys / LOADS).read_text().splitlines()
    loads = [load for line in lines if (load := json.loads(line))["job"] in painted]
    day.warm_base = sum(load["covered"] >= 1 for load in loads) / len(loads)
    day.warm_adapter = sum(load["covered"] == 2 for load in loads) / len(loads)


def check(site: ClusterService, day: Day) -> None:
    """Hold the day to what was promised; the service has ended."""
    assert set(day.jobs.values()) == {"done"}, Counter(day.jobs.values())
    ended = site.times_ended()
    assert set(ended) == set(day.jobs), "a job has no end in the database"
    assert set(ended.values()) == {1}, "a job ended twice"
    folders = {path.name for path in site.data.glob("subjects/[!.]*")}
    assert folders == set(day.learnt), "a subject is missing, or nobody's"
    for job, steps in day.learnt.items():
        adapter = site.data / "subjects" / job / "adapter.safetensors"
        assert adapter.read_bytes() == undisturbed_adapter(steps), (
            f"the adapter of {job} is another"
        )
    assert day.moved, "no learning was moved by the node's death"
    # No arithmetic divides a job: on a machine that stands still for a while, one is the measure.
    most_s = max(_UNEVEN * day.mean_s, day.longest_s)
    assert day.distance_s <= most_s, (day.shares, day.longest_s)


def play(home: Path, nodes: int, artists: int, paintings: int, say: Callable[[str], None]) -> Day:
    """Live through a day. Raises AssertionError when a promise is broken."""
    site = ClusterService(home, nodes, artists)
    try:
        day = live_through(site, paintings, say)
    finally:
        site.close()
    check(site, day)
    return day


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--artists", type=int, default=6)
    parser.add_argument("--paintings", type=int, default=8, help="of each artist, who learns twice")
    given = parser.parse_args()
    say = functools.partial(print, flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        day = play(Path(home), given.nodes, given.artists, given.paintings, say)
    say(f"{len(day.jobs)} jobs of {given.artists} artists on {given.nodes} nodes, all done once")
    say(f"{len(day.moved)} learning moved by the node's death; all {len(day.learnt)} adapters as")
    say(f"undisturbed; {day.went_on} of {day.ran_at_the_kill} jobs ran through the service's death")
    shares = ", ".join(f"{share:.1f}" for share in day.shares.values())
    say(f"seconds each artist had in the {day.window_s:.0f} s in which all waited: {shares};")
    far = day.distance_s / day.mean_s
    say(f"the mean is {day.mean_s:.1f}, the farthest {far:.0%} off; a job took {day.longest_s:.1f}")
    say(f"painted without loading: base {day.warm_base:.0%}, adapter {day.warm_adapter:.0%}")
    say(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
