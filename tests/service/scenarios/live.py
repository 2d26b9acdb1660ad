"""The real service as its own process, with the toy runner, and a small client to speak to it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import requests

from modelsheet.api.jobs import TERMINAL_STATES
from modelsheet.connection_file import read_connection
from modelsheet.settings import Settings
from tests.paths import ROOT

PIXELS = bytes(range(64))  # 4 x 4 pixels of BGRA
SHA = hashlib.sha256(PIXELS).hexdigest()
_PATIENCE_S = 300.0
_STDERR = "stderr.txt"

View = dict[str, Any]


def learn_request(class_noun: str = "toy", **more: object) -> dict[str, object]:
    image = {"blob": SHA, "width": 4, "height": 4}
    return {"kind": "learn", "name": "Hero", "class_noun": class_noun, "images": [image], **more}


def generate_request(prompt: str = "a hill", **more: object) -> dict[str, object]:
    return {"kind": "generate", "prompt": prompt, **more}


class LiveService:
    """One process of the service; `stop` and `kill` end it, `start` begins again where it was. As a
    context manager it leaves no process behind.
    """

    def __init__(
        self, home: Path, ray_address: str = "", handles: int = 0, **timings: float
    ) -> None:
        self.settings = Settings.from_environment({"MODELSHEET_HOME": str(home)})
        self.home = home
        self._ray_address = ray_address
        self._handles = handles  # that the process may have open, if any number is given
        self._timings = timings
        self.start()

    def __enter__(self) -> LiveService:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    def start(self) -> None:
        with (self.home / _STDERR).open("ab") as stderr:
            self.process = spawn_service(
                self.home, stderr, self._ray_address, self._handles, **self._timings
            )
        self.session = requests.Session()
        try:
            self._connect()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> int:
        self.session.close()
        self.process.terminate()
        try:
            return self.process.wait(_PATIENCE_S)
        finally:
            self.kill()

    def kill(self) -> None:
        """End the process by force, if it still runs."""
        self.session.close()
        self.process.kill()
        self.process.wait(_PATIENCE_S)

    def get(self, path: str, **query: str | int) -> View:
        answer = self.session.get(f"{self.url}{path}", params=query, timeout=_PATIENCE_S)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def post(self, path: str, body: object = None) -> requests.Response:
        return self.session.post(f"{self.url}{path}", json=body, timeout=_PATIENCE_S)

    def submit(self, request: object) -> str:
        answer = self.post("/v1/jobs", request)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def wait_for(self, job_id: str, is_met: Callable[[View], bool]) -> View:
        """Follow the job's events until its view meets the condition, as long as there are any."""
        until = time.monotonic() + _PATIENCE_S
        cursor = self.get("/v1/events")["cursor"]
        view = self.get(f"/v1/jobs/{job_id}")
        while not is_met(view):
            assert view["state"] not in TERMINAL_STATES, f"it ended as {view}\n{self.story()}"
            assert time.monotonic() < until, f"it stays {view}\n{self.story()}"
            page = self.get("/v1/events", after=cursor, wait=5, job=job_id)
            cursor = page["cursor"]
            if page["events"]:
                view = page["events"][-1]["job"]
                until = time.monotonic() + _PATIENCE_S
        return view

    def jobs(self) -> list[View]:
        """Return all jobs, page by page."""
        page = self.get("/v1/jobs")
        jobs: list[View] = page["jobs"]
        while page["cursor"]:
            page = self.get("/v1/jobs", after=page["cursor"])
            jobs += page["jobs"]
        return jobs

    def story(self) -> str:
        """Return what the processes said last, and the jobs, for the one who reads of a failure."""
        ends = [self._last_words()]
        with contextlib.suppress(requests.RequestException, AssertionError):
            jobs = self.get("/v1/jobs")["jobs"][:5]
            ends += ["the newest jobs:", *(json.dumps(job) for job in jobs)]
        return "\n".join(ends)

    def _last_words(self) -> str:
        logs = [self.home / _STDERR, *sorted(self.settings.log_dir.glob("*.log"))]
        return "\n".join(f"{log.name} ends:\n{log.read_text('utf-8')[-1500:]}" for log in logs)

    def _connect(self) -> None:
        until = time.monotonic() + _PATIENCE_S
        while (connection := read_connection(self.settings)) is None or (
            connection.pid != self.process.pid
        ):
            status = self.process.poll()
            assert status is None, f"the service ended at once, {status}\n{self._last_words()}"
            assert time.monotonic() < until, f"the service does not come up\n{self._last_words()}"
            time.sleep(0.01)  # a process that starts has nothing to wait on
        self.url = connection.url
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {connection.token}"
        headers = {"Content-Type": "application/octet-stream"}
        url = f"{self.url}/v1/blobs/{SHA}"
        answer = self.session.put(url, data=PIXELS, headers=headers, timeout=_PATIENCE_S)
        assert answer.ok, answer.text

    def wait_for_state(self, job_id: str, state: str) -> View:
        return self.wait_for(job_id, lambda view: view["state"] == state)

    def wait_for_step(self, job_id: str, step: int) -> View:
        return self.wait_for(job_id, lambda view: view["progress"]["step"] >= step)

    def go(self) -> None:
        """Let the jobs that wait for it go on."""
        (self.settings.data_dir / "go").touch()

    def adapter(self, job_id: str) -> bytes:
        return (self.settings.data_dir / "subjects" / job_id / "adapter.safetensors").read_bytes()


def spawn_service(
    home: Path,
    stderr: int | IO[bytes],
    ray_address: str = "",
    handles: int = 0,
    **timings: float,
) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "backend")])
    arguments = [str(home), json.dumps(timings), *([ray_address] if ray_address else [])]
    limit = ["sh", "-c", f'ulimit -n {handles}; exec "$@"', "sh"] if handles else []
    return subprocess.Popen(
        [*limit, sys.executable, "-m", "tests.service.toy_service", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        stderr=stderr,
    )
