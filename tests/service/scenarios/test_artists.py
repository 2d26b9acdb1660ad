"""Artists who share a machine: each gets in by a token of their own and sees what is theirs."""

from __future__ import annotations

import hashlib
import hmac
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from modelsheet.errors import ModelsheetError
from modelsheet.service.auth.caller import OPERATOR
from modelsheet.service.auth.tokens import TokenStore, key_of
from modelsheet.service.http.app import create_app
from modelsheet.service.http.routes.operation import Operation
from modelsheet.service.http.routes.operation_table import OPERATIONS
from modelsheet.service.service import Service
from tests.service.event_pages import read_page
from tests.service.scenarios.live import generate_request, learn_request
from tests.service.scheduling.test_dispatcher import wait_for_state

Enter = Callable[[str], FlaskClient]
NONCE = "00112233445566778899aabbccddeeff"
OF_ONE_JOB = [o for o in OPERATIONS if "job_id" in o.path_parameters]
OF_ONE_SUBJECT = [o for o in OPERATIONS if "subject_id" in o.path_parameters]
OPERATORS = [o for o in OPERATIONS if o.operator_only]


def entering(service: Service, token: str) -> FlaskClient:
    client = create_app(service).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    client.environ_base["HTTP_HOST"] = "127.0.0.1"
    return client


@pytest.fixture
def enter(service: Service) -> Enter:
    """Makes a token for an artist and returns a client that uses it."""
    return lambda name: entering(service, service.tokens.add(name).token)


def submit(client: FlaskClient, request: object, **headers: str) -> str:
    answer = client.post("/v1/jobs", json=request, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.json is not None
    return str(answer.json["id"])


def learnt(service: Service, client: FlaskClient, name: str = "Hero") -> str:
    job = submit(client, learn_request(name=name))
    wait_for_state(service, job, "done")
    return job


def call(client: FlaskClient, operation: Operation, part: str) -> Any:  # Any: a test response
    path = operation.path
    for name in operation.path_parameters:
        path = path.replace(f"{{{name}}}", part)
    body: dict[str, object] = {}
    if operation.body is not None:
        bodies = {"move_job": {"before": None}, "rename_subject": {"name": "x"}}
        body["json"] = bodies.get(operation.name, {"name": "x", "state": "held"})
    return client.open(path, method=operation.method, **body)


@pytest.mark.parametrize("operation", OF_ONE_JOB, ids=lambda o: o.name)
def test_a_job_of_somebody_else_is_not_there(
    service: Service, enter: Enter, operation: Operation
) -> None:
    ann, ben = enter("ann"), enter("ben")
    job = submit(ann, learn_request("wait"))

    assert call(ben, operation, job).status_code == 404
    assert ann.get(f"/v1/jobs/{job}").status_code == 200
    assert ann.post(f"/v1/jobs/{job}/cancel").status_code == 200


@pytest.mark.parametrize("operation", OF_ONE_SUBJECT, ids=lambda o: o.name)
def test_a_subject_of_somebody_else_is_not_there(
    service: Service, enter: Enter, operation: Operation
) -> None:
    ann, ben = enter("ann"), enter("ben")
    subject = learnt(service, ann)

    assert call(ben, operation, subject).status_code in (404, 415, 422)
    assert ann.get(f"/v1/subjects/{subject}").status_code == 200


def test_lists_and_events_show_what_is_ones_own(service: Service, enter: Enter) -> None:
    ann, ben = enter("ann"), enter("ben")
    cursor = read_page(service.events).cursor
    mine, other = learnt(service, ann), learnt(service, ben)

    def ids(client: FlaskClient, path: str, key: str) -> list[str]:
        found = client.get(path).json
        assert found is not None
        return [one["id"] for one in found[key]]

    assert ids(ann, "/v1/jobs", "jobs") == ids(ann, "/v1/subjects", "subjects") == [mine]
    assert ids(ben, "/v1/jobs", "jobs") == ids(ben, "/v1/subjects", "subjects") == [other]
    page = ann.get(f"/v1/events?after={cursor}").json
    assert page is not None
    assert {e["job"]["id"] for e in page["events"] if e["job"]} == {mine}
    assert {subject.owner for subject in service.subjects.all(OPERATOR)} == {"ann", "ben"}


def test_two_artists_may_call_their_heroes_the_same(service: Service, enter: Enter) -> None:
    ann, ben = enter("ann"), enter("ben")
    learnt(service, ann)

    refused = ben.post("/v1/jobs", json=generate_request("@hero waves"))
    learnt(service, ben)

    assert refused.status_code == 404
    assert ben.post("/v1/jobs", json=generate_request("@hero waves")).status_code == 202


def test_a_key_means_the_job_of_the_one_who_used_it(enter: Enter) -> None:
    ann, ben = enter("ann"), enter("ben")
    first = submit(ann, generate_request(), **{"Idempotency-Key": "k"})
    other = submit(ben, generate_request("else"), **{"Idempotency-Key": "k"})

    assert first != other
    assert submit(ann, generate_request(), **{"Idempotency-Key": "k"}) == first


def test_a_job_cannot_be_put_before_that_of_somebody_else(enter: Enter) -> None:
    ann, ben = enter("ann"), enter("ben")
    submit(ann, generate_request("wait"))
    first, second = submit(ann, generate_request()), submit(ben, generate_request())

    answer = ben.post(f"/v1/jobs/{second}/move", json={"before": first})

    assert answer.status_code == 404


@pytest.mark.parametrize("operation", OPERATORS, ids=lambda o: o.name)
def test_what_is_the_operators_is_not_for_artists(enter: Enter, operation: Operation) -> None:
    answer = call(enter("ann"), operation, "ann")

    assert answer.status_code == 403
    assert answer.json is not None
    assert answer.json["code"] == "forbidden"


def test_a_revoked_token_is_worth_nothing_at_once(
    service: Service, client: FlaskClient, enter: Enter
) -> None:
    ann = enter("ann")
    assert ann.get("/v1/jobs").status_code == 200

    assert client.delete("/v1/tokens/ann").status_code == 200

    assert ann.get("/v1/jobs").status_code == 401
    assert client.delete("/v1/tokens/ann").status_code == 404


def test_a_token_is_said_once_and_kept_as_its_sum(
    client: FlaskClient, service: Service, tmp_path: Path
) -> None:
    made = client.post("/v1/tokens", json={"name": "ann"}).json
    assert made is not None
    file = tmp_path / "tokens.json"

    assert entering(service, made["token"]).get("/v1/jobs").status_code == 200
    assert made["token"] not in file.read_text() + client.get("/v1/tokens").text
    assert hashlib.sha256(made["token"].encode()).hexdigest() in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert client.post("/v1/tokens", json={"name": "ann"}).status_code == 409
    assert TokenStore(file).artist_with(key_of(made["token"])) == "ann"


@pytest.mark.parametrize("name", ["", "Ann", "../x", "a b", "x" * 41, "é"])
def test_a_name_that_is_none_gets_no_token(client: FlaskClient, name: str) -> None:
    assert client.post("/v1/tokens", json={"name": name}).status_code == 422


def test_ping_proves_an_artists_token_by_its_sum(service: Service, client: FlaskClient) -> None:
    key = hashlib.sha256(service.tokens.add("ann").token.encode()).hexdigest()
    expected = hmac.new(key.encode(), NONCE.encode(), hashlib.sha256).hexdigest()

    answer = client.get(f"/v1/ping?nonce={NONCE}&key={key[:16]}")

    assert answer.json == {"ok": True, "proof": expected}


def test_a_damaged_file_of_tokens_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_text('[{"name": "ann"')

    with pytest.raises(ModelsheetError, match="make new tokens"):
        TokenStore(tmp_path / "tokens.json")
