"""What the one who runs the service learns of all its jobs: counts and durations, no words."""

from __future__ import annotations

from flask.testing import FlaskClient

from modelsheet.api.admin import StatsView
from modelsheet.service.service import Service
from tests.service.scheduling.test_dispatcher import learning, painting, submit, wait_for_state


def stats(client: FlaskClient) -> StatsView:
    answer = client.get("/v1/stats")
    assert answer.status_code == 200
    assert "xanadu" not in answer.text
    return StatsView.model_validate_json(answer.data)


def test_a_new_service_has_nothing_to_count(client: FlaskClient) -> None:
    counted = stats(client)

    assert counted.kinds == []
    assert counted.since is None
    assert counted.free_bytes > 0


def test_jobs_are_counted_by_kind_and_state(service: Service, client: FlaskClient) -> None:
    learnt = wait_for_state(service, submit(service, learning()), "done")
    for _ in range(2):
        wait_for_state(service, submit(service, painting("xanadu")), "done")
    wait_for_state(service, submit(service, painting("xanadu explode")), "failed")
    service.jobs.set_queue("held")
    submit(service, painting("xanadu"))

    counted = stats(client)

    paint, learn = counted.kinds
    assert (paint.kind, paint.states) == ("generate", {"done": 2, "failed": 1, "queued": 1})
    assert (learn.kind, learn.states) == ("learn", {"done": 1})
    assert paint.lost == learn.lost == 0
    assert counted.since == learnt.created
    assert learnt.started is not None
    assert learnt.finished is not None
    assert learn.wait_s == learnt.started - learnt.created
    assert learn.run_s == learnt.finished - learnt.started


def test_lost_attempts_are_counted(service: Service, client: FlaskClient) -> None:
    service.jobs.set_queue("held")
    job = submit(service, painting())
    jobs = service.job_store
    for _ in range(2):
        jobs.record_loss(job, jobs.start(job).fence, "exit status -9")

    (paint,) = stats(client).kinds
    assert paint.lost == 2
    assert paint.run_s is None
