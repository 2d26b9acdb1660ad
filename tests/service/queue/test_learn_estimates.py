"""What learning will take is said by the last time here, else as it was measured."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from flask.testing import FlaskClient

from modelsheet.api.jobs import Progress
from modelsheet.api.learn import Estimate, LearnRequest, LearnResult, PresetName
from modelsheet.service.queue.job_store import JobStore
from modelsheet.service.queue.learn_estimates import Estimates
from tests.service.scenarios.live import learn_request
from tests.service.toy_runner import TOY_MODEL


def ask(client: FlaskClient, **query: str) -> Estimate:
    answer = client.get("/v1/estimate", query_string=query)
    assert answer.status_code == 200, answer.text
    return Estimate.model_validate_json(answer.data)


def test_before_anything_was_learnt_it_is_the_measured_figure(client: FlaskClient) -> None:
    told = ask(client)

    assert (told.training_steps, told.seconds, told.seen_here) == (60, 33.0, False)
    assert told.memory_bytes == 1 << 30
    assert told.free_bytes > 0


def test_afterwards_it_is_what_it_took_here(tmp_path: Path) -> None:
    jobs = JobStore(tmp_path / "ledger.sqlite3", lambda job: None, 1.0)
    request = LearnRequest.model_validate(learn_request())
    job = jobs.start(jobs.submit(request, None, "ann").id)
    # Learning ended early: 20 of 60 steps.
    result = LearnResult(subject_id=job.id, training_steps=20, best_step=20, seconds=50.0)
    jobs.finish(job.id, job.fence, result)
    estimates = Estimates(jobs.table, lambda: [TOY_MODEL])

    told = estimates.of("sprite32", "thorough")

    assert (told.training_steps, told.seconds, told.seen_here) == (120, 300.0, True)
    jobs.close()


def test_a_running_job_tells_how_busy_the_machine_is_now(tmp_path: Path) -> None:
    jobs = JobStore(tmp_path / "ledger.sqlite3", lambda job: None, 1.0)
    request = LearnRequest.model_validate(learn_request())
    done, running = (jobs.start(jobs.submit(request, None, "ann").id) for _ in range(2))
    result = LearnResult(subject_id=done.id, training_steps=20, best_step=20, seconds=10.0)
    jobs.finish(done.id, done.fence, result)
    estimates = Estimates(jobs.table, lambda: [TOY_MODEL])
    assert estimates.of("sprite32", "thorough").seconds == 60.0

    progress = Progress(phase="learning", step=4, total=160, eta_s=468.0)
    jobs.record_progress(running.id, running.fence, progress)

    assert estimates.of("sprite32", "thorough").seconds == 360.0
    jobs.close()


def test_an_unknown_base_or_preset_is_refused(client: FlaskClient) -> None:
    assert client.get("/v1/estimate?base_model=mine").status_code == 404
    assert client.get("/v1/estimate?preset=eternal").status_code == 422
    assert all(ask(client, preset=preset).training_steps for preset in get_args(PresetName))
