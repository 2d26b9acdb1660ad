"""Turns, pauses and cancelling through the real dispatcher, with the toy runner on a thread."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.jobs import TERMINAL_STATES, JobRequest, JobView
from modelsheet.api.learn import LearnRequest, LearnResult, TrainingOverrides
from modelsheet.api.types import ImageRef
from modelsheet.service.auth.caller import OPERATOR
from modelsheet.service.queue.backup import JobBackup
from modelsheet.service.queue.job_service import Command
from modelsheet.service.service import Service
from tests.service.event_pages import read_page
from tests.service.scenarios.live import SHA
from tests.service.toy_runner import STEPS, undisturbed_adapter


def learning(class_noun: str = "toy", steps: int = STEPS) -> LearnRequest:
    return LearnRequest(
        name="Hero",
        class_noun=class_noun,
        images=[ImageRef(blob=SHA, width=4, height=4)],
        overrides=TrainingOverrides(training_steps=steps),
    )


def painting(prompt: str = "a hill") -> GenerateRequest:
    return GenerateRequest(prompt=prompt)


def submit(service: Service, request: JobRequest) -> str:
    return service.jobs.submit(OPERATOR, request).id


def wait_for(service: Service, job_id: str, is_met: Callable[[JobView], bool]) -> JobView:
    cursor = read_page(service.events).cursor
    view = service.jobs.get(OPERATOR, job_id)
    while not is_met(view):
        assert view.state not in TERMINAL_STATES, view
        page = read_page(service.events, cursor, 200, job_id)
        assert page.events, f"nothing happens any more: {view}"
        cursor, view = page.cursor, service.jobs.get(OPERATOR, job_id)
    return view


def wait_for_state(service: Service, job_id: str, state: str) -> JobView:
    return wait_for(service, job_id, lambda view: view.state == state)


def test_a_learn_job_ends_in_a_subject(service: Service, tmp_path: Path) -> None:
    job = submit(service, learning())
    view = wait_for_state(service, job, "done")

    assert view.progress.fraction == 1.0
    assert [subject.id for subject in service.subjects.all(OPERATOR)] == [job]
    service.stop()
    assert not (tmp_path / "jobs" / job).exists()


def test_a_picture_overtakes_learning_which_then_goes_on(service: Service, tmp_path: Path) -> None:
    learn = submit(service, learning("slow wait", steps=60))
    wait_for(service, learn, lambda view: view.state == "running")
    picture = submit(service, painting())
    painted = wait_for_state(service, picture, "done")
    (tmp_path / "go").touch()
    learnt = wait_for_state(service, learn, "done")

    assert painted.finished is not None
    assert learnt.finished is not None
    assert painted.finished < learnt.finished
    assert learnt.attempt == 1
    adapter = tmp_path / "subjects" / learn / "adapter.safetensors"
    assert adapter.read_bytes() == undisturbed_adapter(60)


def test_learning_is_not_starved_by_pictures_without_end(
    make_service: Callable[..., Service],
) -> None:
    service = make_service(burst_s=0.1)
    learn = submit(service, learning("slow", steps=8))
    pictures = [submit(service, painting("slow")) for _ in range(25)]
    last = wait_for_state(service, pictures[-1], "done")
    learnt = wait_for_state(service, learn, "done")

    assert learnt.finished is not None
    assert last.finished is not None
    assert learnt.finished < last.finished


def test_a_paused_job_keeps_its_steps_until_resumed(service: Service, tmp_path: Path) -> None:
    learn = submit(service, learning("slow wait-at-10", steps=30))
    wait_for(service, learn, lambda view: view.progress.step >= 3)
    service.jobs.command(OPERATOR, learn, "pause")
    paused = wait_for_state(service, learn, "paused")
    (tmp_path / "go").touch()
    service.jobs.command(OPERATOR, learn, "resume")
    wait_for_state(service, learn, "done")

    assert 3 <= paused.progress.step < 10
    adapter = tmp_path / "subjects" / learn / "adapter.safetensors"
    assert adapter.read_bytes() == undisturbed_adapter(30)


def test_a_cancelled_job_leaves_no_subject(service: Service, tmp_path: Path) -> None:
    learn = submit(service, learning("wait"))
    wait_for(service, learn, lambda view: view.state == "running")
    service.jobs.command(OPERATOR, learn, "cancel")
    wait_for_state(service, learn, "cancelled")
    service.stop()

    assert service.subjects.all(OPERATOR) == []
    assert list((tmp_path / "subjects").iterdir()) == []


def test_a_full_disk_pauses_the_job_and_says_so(service: Service, tmp_path: Path) -> None:
    learn = submit(service, learning("disk-full"))
    paused = wait_for_state(service, learn, "paused")
    (tmp_path / "go").touch()
    service.jobs.command(OPERATOR, learn, "resume")

    assert paused.error is not None
    assert paused.error.code == "disk-full"
    assert wait_for_state(service, learn, "done").error is None


@pytest.mark.parametrize("command", ["cancel", "pause"])
def test_a_job_is_stopped_on_a_full_disk_with_what_was_kept_back(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    job = submit(service, learning("slow wait-at-10"))
    wait_for(service, job, lambda view: view.progress.step >= 3)
    write, reserve = JobBackup.write, tmp_path / "reserve"

    def write_where_there_is_room(backup: JobBackup, *columns: Any) -> None:
        if reserve.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        write(backup, *columns)

    monkeypatch.setattr(JobBackup, "write", write_where_there_is_room)
    with pytest.raises(OSError, match="No space left"):
        service.jobs.command(OPERATOR, job, "resume")
    service.jobs.command(OPERATOR, job, command)

    assert wait_for_state(service, job, {"cancel": "cancelled", "pause": "paused"}[command])


def test_an_error_of_the_runner_fails_the_job_in_a_sentence(service: Service) -> None:
    job = submit(service, painting("explode"))
    view = wait_for_state(service, job, "failed")

    assert view.error is not None
    assert view.error.code == "internal"
    assert "ZeroDivisionError" in view.error.sentence


def test_learning_told_to_finish_keeps_what_it_has(service: Service, tmp_path: Path) -> None:
    learn = submit(service, learning("slow wait-at-10"))
    wait_for(service, learn, lambda view: view.progress.step >= 3)
    service.jobs.command(OPERATOR, learn, "finish")
    done = wait_for_state(service, learn, "done")

    assert isinstance(done.result, LearnResult)
    assert 3 <= done.result.training_steps < 10
    adapter = tmp_path / "subjects" / learn / "adapter.safetensors"
    assert adapter.read_bytes() == undisturbed_adapter(done.result.training_steps)


def test_a_paused_job_told_to_finish_goes_on_to_do_so(service: Service) -> None:
    learn = submit(service, learning("slow wait-at-10"))
    wait_for(service, learn, lambda view: view.progress.step >= 3)
    service.jobs.command(OPERATOR, learn, "pause")
    paused = wait_for_state(service, learn, "paused")
    service.jobs.command(OPERATOR, learn, "finish")
    done = wait_for_state(service, learn, "done")

    assert isinstance(done.result, LearnResult)
    assert paused.progress.step <= done.result.training_steps < 10


def test_a_held_queue_lets_nothing_overtake_and_outlives_the_service(
    make_service: Callable[..., Service],
) -> None:
    service = make_service()
    service.jobs.set_queue("held")
    service.stop()
    again = make_service()
    waiting = submit(again, painting())

    assert again.jobs.queue(OPERATOR).state == "held"
    assert again.jobs.queue(OPERATOR).waiting == [waiting]
    again.jobs.set_queue("open")
    wait_for_state(again, waiting, "done")
