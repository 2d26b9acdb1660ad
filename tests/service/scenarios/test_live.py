"""The real service and its real worker: jobs end well whoever is killed, stopped or silent."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from modelsheet.connection_file import connection_path, read_connection
from tests.service.scenarios.live import LiveService, generate_request, learn_request, spawn_service
from tests.service.toy_runner import STEPS, undisturbed_adapter

Live = Callable[..., LiveService]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")


def worker_of(service: LiveService) -> psutil.Process:
    (worker,) = psutil.Process(service.process.pid).children()
    return worker


def steps(count: int) -> dict[str, object]:
    return {"overrides": {"training_steps": count}}


def test_a_job_survives_the_death_of_its_worker(live: Live) -> None:
    service = live()
    job = service.submit(learn_request("wait-at-6", **steps(40)))
    service.wait_for_step(job, 5)
    worker_of(service).kill()
    service.go()
    view = service.wait_for_state(job, "done")

    assert view["attempt"] == 2
    assert service.adapter(job) == undisturbed_adapter(40)
    assert [subject["id"] for subject in service.get("/v1/subjects")["subjects"]] == [job]


def test_a_job_that_kills_its_worker_three_times_has_failed(live: Live) -> None:
    service = live()
    poison = service.submit(learn_request("always-crash"))
    after = service.submit(learn_request("toy"))

    view = service.wait_for_state(poison, "failed")

    assert view["error"]["code"] == "worker-crashed"
    assert view["attempt"] == 3
    service.wait_for_state(after, "done")


def test_kill_9_of_the_service_loses_no_job(live: Live) -> None:
    service = live()
    learn = service.submit(learn_request("wait-at-6", **steps(40)))
    waiting = service.submit(learn_request("toy", name="Second"))
    service.wait_for_step(learn, 5)
    worker = worker_of(service)
    service.kill()
    psutil.wait_procs([worker], timeout=180)
    assert not worker.is_running()

    service.go()
    service.start()
    view = service.wait_for_state(learn, "done")
    service.wait_for_state(waiting, "done")

    assert view["attempt"] == 1
    assert service.adapter(learn) == undisturbed_adapter(40)
    assert service.adapter(waiting) == undisturbed_adapter(STEPS)
    subjects = service.get("/v1/subjects")["subjects"]
    assert sorted(subject["id"] for subject in subjects) == sorted([learn, waiting])


def test_an_orderly_end_answers_at_once_and_the_job_goes_on_later(live: Live) -> None:
    service = live()
    job = service.submit(learn_request("wait-at-6", **steps(40)))
    service.wait_for_step(job, 5)

    assert service.stop() == 0
    assert not connection_path(service.settings).exists()

    service.go()
    service.start()
    service.wait_for_state(job, "done")
    assert service.adapter(job) == undisturbed_adapter(40)


def test_a_start_waits_for_the_service_that_is_about_to_end(live: Live) -> None:
    service = live(shutdown_grace_s=2.0)
    job = service.submit(learn_request("deaf wait"))
    service.wait_for_state(job, "running")
    service.session.close()
    with service.process as ending:
        ending.terminate()
        while connection_path(service.settings).exists():
            assert ending.poll() is None
        service.start()
        service.go()

    assert ending.returncode == 0
    service.wait_for_state(job, "done")
    assert service.adapter(job) == undisturbed_adapter()


def test_a_worker_that_stands_still_is_replaced(live: Live) -> None:
    service = live(stall_s=30.0)
    job = service.submit(learn_request("freeze-at-3"))
    view = service.wait_for_state(job, "done")

    assert view["attempt"] >= 2  # a slow machine may stand still once more
    assert service.adapter(job) == undisturbed_adapter()


def test_a_job_that_does_not_listen_is_killed_after_the_grace(live: Live) -> None:
    service = live(cancel_grace_s=0.3)
    job = service.submit(learn_request("deaf wait-at-6"))
    service.wait_for_step(job, 1)
    service.post(f"/v1/jobs/{job}/cancel")
    service.wait_for_state(job, "cancelled")
    after = service.submit(generate_request())
    service.wait_for_state(after, "done")

    subjects = service.get("/v1/subjects")["subjects"]
    assert job not in [subject["id"] for subject in subjects]


def test_a_running_job_is_cancelled_within_a_step(live: Live) -> None:
    service = live(cancel_grace_s=600.0)
    job = service.submit(learn_request("slow", **steps(20_000)))
    service.wait_for_step(job, 1)
    worker = worker_of(service)
    service.post(f"/v1/jobs/{job}/cancel")
    service.wait_for_state(job, "cancelled")

    assert worker.is_running()  # it stopped by itself


def test_a_picture_overtakes_learning_across_the_process(shared: LiveService) -> None:
    learn = shared.submit(learn_request("slow wait", **steps(30)))
    shared.wait_for_state(learn, "running")
    picture = shared.submit(generate_request(count=2))
    view = shared.wait_for_state(picture, "done")
    shared.go()
    learnt = shared.wait_for_state(learn, "done")

    assert [image["seed"] for image in view["result"]["images"]] == [0, 1]
    assert learnt["attempt"] == 1
    assert shared.adapter(learn) == undisturbed_adapter(30)


def test_the_connection_file_is_for_its_owner_alone(live: Live) -> None:
    service = live()
    path = connection_path(service.settings)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(service.settings.log_dir.stat().st_mode) == 0o700
    path.chmod(0o640)
    assert read_connection(service.settings) is None


def test_the_connection_of_a_dead_service_is_none(live: Live) -> None:
    service = live()
    service.kill()

    assert connection_path(service.settings).exists()
    assert read_connection(service.settings) is None


def test_a_second_service_on_the_folder_says_who_has_it(shared: LiveService) -> None:
    second = spawn_service(shared.home, stderr=subprocess.PIPE)
    said = second.communicate(timeout=240)[1].decode()

    assert second.returncode != 0
    assert f"process {shared.process.pid}, {shared.url}" in said
    assert shared.get("/v1/ping")["ok"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_worker_is_offline_and_private(shared: LiveService) -> None:
    shared.wait_for_state(shared.submit(generate_request()), "done")
    worker = worker_of(shared)

    environment = worker.environ()
    assert environment["HF_HUB_OFFLINE"] == environment["HF_HUB_DISABLE_TELEMETRY"] == "1"
    status = Path(f"/proc/{worker.pid}/status").read_text()
    assert "Umask:\t0077" in status
    # Not deeper: other jobs' folders come and go meanwhile.
    shown = [p.name for p in shared.settings.data_dir.iterdir() if p.stat().st_mode & 0o077]
    assert set(shown) <= {"go"}  # that one is the test's


def test_a_service_without_clients_and_jobs_ends_in_order(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELSHEET_IDLE_MINUTES", "0.15")
    service = live()
    assert service.get("/v1/capabilities")["idle_minutes"] == pytest.approx(0.15)
    service.wait_for_state(service.submit(generate_request()), "done")

    assert service.process.wait(300) == 0

    assert not connection_path(service.settings).exists()
    service.start()  # as the plugin does, at the next wish
    service.wait_for_state(service.submit(generate_request()), "done")
