"""kill -9, round after round: the worker, the service or both, at moments chosen by a seed.

`python -m tests.service.scenarios.kill_rounds --rounds 200 --seed 1` says how it went; any
broken promise is an AssertionError that names the round. After each kill: every job is there
exactly once and ends as it should, every visible subject is whole, and every adapter is that of an
undisturbed run.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests

from modelsheet.api.jobs import TERMINAL_STATES
from modelsheet.files.manifest import read_manifest, sha256_of
from tests.service.scenarios.live import LiveService, View, generate_request, learn_request
from tests.service.toy_runner import undisturbed_adapter

VICTIMS = ("worker", "service", "both")
MOMENTS = ("submit", "queued", "running", "checkpoint", "publication", "done")
ASKS = ("", "", "pause", "cancel")
_LOOK_EVERY_S = 0.0005
_LONGEST_LOOK_S = 20.0
_LONGEST_DELAY_S = 0.3
_LONGEST_DEATH_S = 150.0


@dataclass
class Wish:
    """One job as its client means it: the key makes it one job however often it is sent."""

    key: str
    request: dict[str, object]
    steps: int = 0
    job_id: str = ""
    asked: str = ""


@dataclass
class Rounds:
    """One home, killed again and again."""

    home: Path
    chance: random.Random
    kills: Counter[str] = field(default_factory=Counter)
    jobs: int = 0
    doing: str = "nothing yet"

    def __post_init__(self) -> None:
        self.service = LiveService(self.home)
        self.data = self.service.settings.data_dir

    def play(self, number: int) -> None:
        victim, moment = self.chance.choice(VICTIMS), self.chance.choice(MOMENTS)
        wishes = [self._wish(f"{number}-{k}") for k in range(self.chance.randint(1, 2))]
        ask = self.chance.choice(ASKS)
        self.doing = f"{victim} killed at {moment}, asked to {ask or 'go on'}"
        self._disturb(wishes, ask, moment, victim)
        self.kills[f"{victim} at {moment}"] += 1
        self._check_what_is_visible()
        self._revive()
        for wish in wishes:
            wish.job_id = self._submit(wish)
        self._settle(wishes)
        self.jobs += len(wishes)
        known = len(self.service.jobs())
        assert known == min(self.jobs, 500), f"{known} jobs are known of {self.jobs}"

    def __enter__(self) -> Rounds:
        return self

    def __exit__(self, *exception: object) -> None:
        self.service.kill()

    def _wish(self, key: str) -> Wish:
        if self.chance.random() < 0.3:
            return Wish(key, generate_request("slow", count=self.chance.randint(1, 4)))
        steps = self.chance.randint(3, 15)
        more = {"overrides": {"training_steps": steps}, "seed": self.chance.randrange(1000)}
        return Wish(key, learn_request("slow", name=f"Hero {key}", **more), steps)

    def _submit(self, wish: Wish) -> str:
        answer = self.service.session.post(
            f"{self.service.url}/v1/jobs",
            json=wish.request,
            headers={"Idempotency-Key": wish.key},
            timeout=180,
        )
        assert answer.status_code == 202, answer.text
        job_id = str(answer.json()["id"])
        assert wish.job_id in ("", job_id), "a job was lost and made again"
        return job_id

    def _disturb(self, wishes: list[Wish], ask: str, moment: str, victim: str) -> None:
        if moment == "submit":
            sending = threading.Thread(target=self._send_into_the_void, args=(wishes,))
            sending.start()
            time.sleep(self.chance.random() * 0.02)
            self._kill(victim)
            sending.join()
            return
        for wish in wishes:
            wish.job_id = self._submit(wish)
        if ask:
            path = f"/v1/jobs/{wishes[0].job_id}/{ask}"
            wishes[0].asked = ask if self.service.post(path).status_code == 200 else ""
        self._wait_for(moment, wishes[-1])
        self._kill(victim)

    def _send_into_the_void(self, wishes: list[Wish]) -> None:
        """Nobody knows which of them arrive; what was confirmed must still be there."""
        for wish in wishes:
            try:
                wish.job_id = self._submit(wish)
            except requests.RequestException:
                return

    def _wait_for(self, moment: str, wish: Wish) -> None:
        checkpoint = self.data / "jobs" / wish.job_id / "checkpoint" / "state.tmp"
        seen: dict[str, Callable[[], bool]] = {
            "checkpoint": checkpoint.exists,
            "publication": lambda: bool(list(self.data.glob("subjects/.staging-*/subject.json"))),
            "done": lambda: self._view(wish)["state"] in TERMINAL_STATES,
            "running": lambda: self._view(wish)["state"] != "queued",
        }
        until = time.monotonic() + _LONGEST_LOOK_S
        while moment in seen and not seen[moment]() and time.monotonic() < until:
            if self._view(wish)["state"] in {*TERMINAL_STATES, "paused"}:
                break
            time.sleep(_LOOK_EVERY_S)  # what it looks for lasts a moment and rings no bell
        if moment == "running":
            time.sleep(self.chance.random() * _LONGEST_DELAY_S)

    def _view(self, wish: Wish) -> View:
        return self.service.get(f"/v1/jobs/{wish.job_id}")

    def _kill(self, victim: str) -> None:
        service = psutil.Process(self.service.process.pid)
        workers = service.children()
        if victim != "service":
            for worker in workers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    worker.kill()
        if victim != "worker":
            self.service.kill()
            _, left = psutil.wait_procs(workers, timeout=_LONGEST_DEATH_S)
            assert not left, f"workers that outlived their service: {left}"

    def _revive(self) -> None:
        if self.service.process.poll() is not None:
            self.service.start()

    def _settle(self, wishes: list[Wish]) -> None:
        """Let every job come to its end, and hold it to what was promised."""
        for wish in wishes:
            if wish.asked == "pause":
                view = self.service.wait_for(
                    wish.job_id, lambda v: v["state"] in {*TERMINAL_STATES, "paused"}
                )
                if view["state"] == "paused":
                    self.service.post(f"/v1/jobs/{wish.job_id}/resume")
        for wish in wishes:
            view = self.service.wait_for(wish.job_id, lambda v: v["state"] in TERMINAL_STATES)
            allowed = {"done", "cancelled"} if wish.asked == "cancel" else {"done"}
            assert view["state"] in allowed, f"{view}\n{self.service.story()}"
            is_subject = (self.data / "subjects" / wish.job_id).exists()
            expected = bool(wish.steps) and view["state"] == "done"
            assert is_subject == expected, f"the subject of {view}: {is_subject}"
            if is_subject:
                same = self.service.adapter(wish.job_id) == undisturbed_adapter(wish.steps)
                assert same, f"the adapter of {view} is another"

    def _check_what_is_visible(self) -> None:
        for folder in self.data.glob("subjects/[!.]*"):
            for name, entry in read_manifest(folder).files.items():
                assert sha256_of(folder / name) == entry.sha256, f"{folder}/{name} is half written"


def play(home: Path, rounds: int, seed: int, say: Callable[[str], None]) -> Rounds:
    """Play the rounds. Raises AssertionError, naming the round, when a promise is broken."""
    with Rounds(home, random.Random(seed)) as game:
        for number in range(rounds):
            try:
                game.play(number)
            except AssertionError as error:
                story = f"round {number} of seed {seed}, {game.doing}: {error}"
                raise AssertionError(story) from error
            if number % 10 == 9:
                say(f"{number + 1} rounds, {game.jobs} jobs")
        assert game.service.stop() == 0
    return game


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    say = functools.partial(print, flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        game = play(Path(home), arguments.rounds, arguments.seed, say)
    for kind, count in sorted(game.kills.items()):
        say(f"{count:4} x {kind}")
    say(
        f"{arguments.rounds} rounds, seed {arguments.seed}, {game.jobs} jobs: none lost, none "
        f"doubled, every adapter as undisturbed; {time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
