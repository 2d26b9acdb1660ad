"""The list of jobs: pages of 50, without what makes jobs long."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from modelsheet.api.jobs import JobView
from modelsheet.service.service import Service
from tests.service.scenarios.live import generate_request
from tests.service.scheduling.test_dispatcher import wait_for_state

LONG = "a hill " + "x" * 1900


def page(client: FlaskClient, after: str = "") -> dict[str, Any]:
    answer = client.get(f"/v1/jobs?after={after}")
    assert answer.status_code == 200
    return dict(answer.json or {})


def submit(client: FlaskClient, **more: object) -> str:
    answer = client.post("/v1/jobs", json=generate_request(LONG, **more))
    assert answer.json is not None
    return str(answer.json["id"])


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, [0]), (50, [50]), (51, [50, 1]), (103, [50] * 2 + [3])]
)
def test_pages_follow_each_other_to_the_oldest(
    service: Service, client: FlaskClient, count: int, sizes: list[int]
) -> None:
    service.jobs.set_queue("held")
    submitted = [submit(client) for _ in range(count)]

    pages = [page(client)]
    while pages[-1]["cursor"]:
        submit(client)  # newer ones do not shift the next page
        pages.append(page(client, pages[-1]["cursor"]))

    assert [len(one["jobs"]) for one in pages] == sizes
    assert [job["id"] for one in pages for job in one["jobs"]] == submitted[::-1]


def test_a_list_is_light_and_a_job_alone_is_whole(service: Service, client: FlaskClient) -> None:
    job = submit(client, count=8)
    wait_for_state(service, job, "done")

    (listed,) = page(client)["jobs"]
    whole = client.get(f"/v1/jobs/{job}").json

    assert whole is not None
    assert (listed["abridged"], whole["abridged"]) == (True, False)
    assert listed["progress"]["previews"] == []
    for short, image in zip(listed["result"]["images"], whole["result"]["images"], strict=True):
        assert short["recipe"] is None
        assert short["blob"] == image["blob"]
        assert image["prompt"].startswith(short["prompt"])
        assert len(short["prompt"]) == 200
        assert image["recipe"]["request"]["prompt"] == LONG
    assert len(JobView.model_validate(listed).model_dump_json()) < 9_000


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "9" * 17])
def test_another_cursor_is_refused(client: FlaskClient, after: str) -> None:
    assert client.get(f"/v1/jobs?after={after}").status_code == 422


def test_the_abridged_views_are_made_anew_from_the_backup(
    service: Service, client: FlaskClient
) -> None:
    job = submit(client)
    wait_for_state(service, job, "done")
    before = page(client)
    table = service.job_store.table
    with table.transaction():
        table._database.execute("UPDATE jobs SET abridged = NULL")

    assert page(client) == before
    table._abridge_finished()
    assert page(client) == before
