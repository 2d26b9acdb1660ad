"""Full disks, workers that stand still, damaged ledgers: each ends as promised."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from modelsheet.api.generate import GenerateRequest
from modelsheet.service.http.app import create_app
from modelsheet.service.service import Service
from tests.service.executors.inline_executor import InlineExecutor
from tests.service.scenarios.live import LiveService, View, learn_request
from tests.service.scenarios.test_live import steps, worker_of
from tests.service.toy_runner import TOY_MODEL, fill, make_runner, undisturbed_adapter

Live = Callable[..., LiveService]
_DISK = 4 << 20  # bytes

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB in memory."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux may mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "modelsheet-test", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this container may not mount a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
def cramped(small_disk: Path) -> Iterator[LiveService]:
    """A service whose data folder is on the small disk, and its logs elsewhere."""
    with LiveService(small_disk) as service:
        yield service


def put(service: LiveService, content: bytes) -> requests.Response:
    url = f"{service.url}/v1/blobs/{hashlib.sha256(content).hexdigest()}"
    headers = {"Content-Type": "application/octet-stream"}
    return service.session.put(url, data=content, headers=headers, timeout=180)


def is_held(view: View) -> bool:
    return view["state"] == "paused" and view["error"]["code"] == "disk-full"


def test_an_upload_without_room_is_refused_and_nothing_is_left_of_it(cramped: LiveService) -> None:
    content = bytes(range(256)) * (1 << 14)

    refused = put(cramped, content)

    assert refused.status_code == 507
    assert refused.json()["code"] == "disk-full"
    assert not list(cramped.settings.data_dir.rglob(".tmp-*"))
    assert put(cramped, content[: 1 << 16]).status_code == 200


def test_a_disk_full_at_a_checkpoint_pauses_the_job_which_then_goes_on(
    cramped: LiveService,
) -> None:
    filler = cramped.settings.data_dir / "filler"
    job = cramped.submit(learn_request("wait-at-6", **steps(200)))
    cramped.wait_for_step(job, 5)

    fill(filler)
    cramped.go()
    held = cramped.wait_for(job, is_held)

    assert "free some space" in held["error"]["sentence"]
    fill(filler)  # what the ledger was given to say so
    assert cramped.post(f"/v1/jobs/{job}/resume").status_code == 507
    assert is_held(cramped.get(f"/v1/jobs/{job}"))
    filler.unlink()
    assert cramped.post(f"/v1/jobs/{job}/resume").status_code == 200
    cramped.wait_for_state(job, "done")
    assert cramped.adapter(job) == undisturbed_adapter(200)


def test_a_disk_full_at_publication_leaves_no_half_subject(cramped: LiveService) -> None:
    job = cramped.submit(learn_request("fill-the-disk"))

    view = cramped.wait_for(job, lambda view: is_held(view) or view["state"] == "done")
    if view["state"] == "paused":  # else what was kept back for the ledger was room enough
        assert cramped.get("/v1/subjects")["subjects"] == []
        (cramped.settings.data_dir / "filler").unlink()
        assert cramped.post(f"/v1/jobs/{job}/resume").status_code == 200
        view = cramped.wait_for_state(job, "done")

    assert view["attempt"] == 1
    assert cramped.adapter(job) == undisturbed_adapter()
    assert [s["id"] for s in cramped.get("/v1/subjects")["subjects"]] == [job]


def test_a_disk_without_a_byte_left_is_said_and_waited_for(cramped: LiveService) -> None:
    job = cramped.submit(learn_request("wait-at-6", **steps(200)))
    cramped.wait_for_step(job, 5)
    (cramped.settings.data_dir / "reserve").unlink()

    fill(cramped.settings.data_dir / "filler")
    cramped.go()
    cramped.wait_for(job, lambda view: "disk is full" in view["progress"]["phase"])
    (cramped.settings.data_dir / "filler").unlink()
    cramped.wait_for(job, is_held)

    assert cramped.post(f"/v1/jobs/{job}/resume").status_code == 200
    cramped.wait_for_state(job, "done")
    assert cramped.adapter(job) == undisturbed_adapter(200)


def test_a_worker_that_stands_still_for_a_while_is_shown_and_goes_on(live: Live) -> None:
    service = live(quiet_s=5.0)
    job = service.submit(learn_request("wait-at-6", **steps(60)))
    service.wait_for_step(job, 5)
    worker = worker_of(service)

    worker.suspend()
    stalled = service.wait_for(job, lambda view: view["stalled"])
    worker.resume()
    service.wait_for(job, lambda view: not view["stalled"])
    service.go()
    done = service.wait_for_state(job, "done")

    assert (stalled["state"], stalled["attempt"], done["attempt"]) == ("running", 1, 1)
    assert service.adapter(job) == undisturbed_adapter(60)


def test_five_seconds_of_standing_still_cost_no_attempt(live: Live) -> None:
    service = live()
    job = service.submit(learn_request("slow", **steps(400)))
    service.wait_for_step(job, 5)
    worker = worker_of(service)

    worker.suspend()
    time.sleep(5.0)  # what is promised to be borne
    worker.resume()
    done = service.wait_for_state(job, "done")

    assert done["attempt"] == 1
    assert service.adapter(job) == undisturbed_adapter(400)


def test_a_worker_without_progress_is_replaced_though_its_heart_beats(live: Live) -> None:
    service = live(hang_s=30.0)
    job = service.submit(learn_request("wait"))

    view = service.wait_for(job, lambda view: view["attempt"] >= 2)
    service.go()

    assert view["state"] in ("queued", "running")
    service.wait_for_state(job, "done")
    assert service.adapter(job) == undisturbed_adapter()


@pytest.mark.parametrize("seed", [1, 2])
def test_flipped_bits_in_the_ledger_cost_no_step(live: Live, seed: int) -> None:
    service = live()
    job = service.submit(learn_request("wait-at-6", **steps(40)))
    waiting = service.submit(learn_request("toy", name="Second"))
    service.wait_for_step(job, 5)
    worker = worker_of(service)
    service.kill()
    worker.wait(180)
    flip(service.settings.data_dir / "ledger.sqlite3", random.Random(seed))

    service.go()
    service.start()

    service.wait_for_state(job, "done")
    service.wait_for_state(waiting, "done")
    assert service.adapter(job) == undisturbed_adapter(40)
    assert len(list(service.settings.data_dir.glob("*.damaged-*"))) == 1


def flip(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[100] ^= 0xFF  # the kind of the first page: this much is always seen
    for _ in range(60):
        content[chance.randrange(100, len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def test_a_ledger_damaged_under_a_running_service_ends_it(tmp_path: Path) -> None:
    ended: list[bool] = []
    service = Service(
        tmp_path,
        lambda on_report: InlineExecutor(tmp_path, make_runner(tmp_path), on_report),
        base_models=lambda: [TOY_MODEL],
        on_end=lambda: ended.append(True),
    )
    service.start()
    client = create_app(service).test_client()
    header = {"Authorization": f"Bearer {service.token}", "Host": "127.0.0.1"}
    client.post("/v1/jobs", json=GenerateRequest(prompt="a hill").model_dump(), headers=header)
    # With its journal and index, or what SQLite has of it in memory would answer for a while; and
    # again where a job's last write came in between.
    for _ in range(100):
        for path in tmp_path.glob("ledger.sqlite3*"):
            with path.open("r+b") as stream:
                stream.write(bytes(path.stat().st_size))
        answer = client.get("/v1/jobs", headers=header)
        if answer.status_code != 200:
            break

    service.stop()
    assert answer.status_code == 503
    assert answer.content_type == "application/problem+json"
    assert ended
    assert service.has_failed
