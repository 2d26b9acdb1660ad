"""What the route layer lets through: the exact form, read from the raw bytes."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from tests.service.scenarios.live import SHA, generate_request, learn_request

GOOD = json.dumps(generate_request())


@pytest.mark.parametrize(
    "body",
    [
        "{bad",
        "",
        "[]",
        "null",
        "false",
        "{}",
        json.dumps(GOOD),
        '{"kind":"paint","prompt":"x"}',
        '{"kind":"generate","prompt":"x","extra":1}',
        '{"kind":"generate","prompt":"x","seed":"1"}',
        '{"kind":"generate","prompt":"x","seed":1.5}',
        '{"kind":"generate","prompt":"x","seed":-1}',
        '{"kind":"generate","prompt":"x","guidance_scale":NaN}',
        '{"kind":"generate","prompt":"  "}',
        '{"kind":"generate","prompt":"a\\nb"}',
        '{"kind":"generate","prompt":"\\ud800"}',
        "\xff\xfe",
    ],
)
def test_a_body_of_another_form_is_refused(client: FlaskClient, body: str) -> None:
    answer = client.post("/v1/jobs", data=body.encode("latin-1"), content_type="application/json")

    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert answer.json is not None
    assert answer.json["type"] == "urn:modelsheet:problem:validation"


def test_a_whole_number_may_be_written_with_a_point(client: FlaskClient) -> None:
    body = '{"kind":"generate","prompt":"x","seed":7.0}'

    assert client.post("/v1/jobs", data=body, content_type="application/json").status_code == 202


@pytest.mark.parametrize(
    "query", ["wait=5&wait=6", "wait=99", "wait=-1", "wait=nan", "wait=x", "else=1", "after=x"]
)
def test_a_query_of_another_form_is_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"/v1/events?{query}").status_code == 422


def test_a_problem_points_at_the_field(client: FlaskClient) -> None:
    request = learn_request(images=[{"blob": SHA, "width": 0, "height": 4}])
    answer = client.post("/v1/jobs", json=request).json

    assert answer is not None
    assert answer["errors"][0]["pointer"] == "/images/0/width"


def test_more_json_than_the_limit_is_refused(client: FlaskClient) -> None:
    body = b" " * (256 << 10) + GOOD.encode()

    assert client.post("/v1/jobs", data=body, content_type="application/json").status_code == 413


@pytest.mark.parametrize(
    "path",
    ["/v1/jobs/1", f"/v1/jobs/{UUID(int=1)}", "/v1/blobs/12", f"/v1/subjects/{UUID(int=1)}", "/"],
)
def test_what_is_not_there_is_404(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"


def test_a_blob_comes_back_as_it_was_sent(client: FlaskClient) -> None:
    answer = client.get(f"/v1/blobs/{SHA}", buffered=True)
    head = client.head(f"/v1/blobs/{SHA}")

    assert answer.data == bytes(range(64))
    assert (head.status_code, head.content_length, head.data) == (200, 64, b"")


def test_bytes_under_a_wrong_name_are_refused(client: FlaskClient) -> None:
    answer = client.put(f"/v1/blobs/{'0' * 64}", data=b"x", content_type="application/octet-stream")

    assert answer.status_code == 409
    assert client.head(f"/v1/blobs/{'0' * 64}").status_code == 404


@pytest.mark.parametrize(
    ("request_body", "status", "word"),
    [
        (learn_request(images=[{"blob": "0" * 64, "width": 4, "height": 4}]), 422, "send it"),
        (learn_request(images=[{"blob": SHA, "width": 5, "height": 4}]), 422, "80 bytes"),
        (learn_request(captions=["a", "b"]), 422, "2 captions for 1"),
        (learn_request(name="🙂"), 422, "letter or digit"),
        (learn_request(base_model="else"), 404, "known are: sprite32"),
        (generate_request("@nobody waves"), 404, "@nobody"),
    ],
)
def test_a_request_that_cannot_be_done_is_refused_in_a_sentence(
    client: FlaskClient, request_body: object, status: int, word: str
) -> None:
    answer = client.post("/v1/jobs", json=request_body)

    assert answer.status_code == status
    assert answer.json is not None
    assert word in answer.json["detail"]


def test_the_same_key_makes_one_job(client: FlaskClient) -> None:
    key = {"Idempotency-Key": "k1"}
    first = client.post("/v1/jobs", json=generate_request(), headers=key).json
    again = client.post("/v1/jobs", json=generate_request(), headers=key).json
    other = client.post("/v1/jobs", json=generate_request("else"), headers=key)

    assert first is not None
    assert again is not None
    assert first["id"] == again["id"]
    assert other.status_code == 409
    assert other.json is not None
    assert other.json["code"] == "idempotency-conflict"
