"""Each rule of access is one test: no token, no entry; no web page, ever."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from flask.testing import FlaskClient

from modelsheet.service.http.app import create_app
from modelsheet.service.http.routes.models import artists_note
from modelsheet.service.service import Service
from tests.service.scenarios.live import generate_request


def test_every_route_but_ping_needs_the_token(service: Service) -> None:
    app = create_app(service)
    unused = {"job_id": "0" * 8, "subject_id": "0" * 8, "sha256": "0" * 64, "artist": "x"}
    adapter = app.url_map.bind("127.0.0.1")

    for rule in app.url_map.iter_rules():
        path = adapter.build(rule.endpoint, {k: unused[k] for k in rule.arguments})
        for method in (rule.methods or set()) - {"HEAD"} or {"HEAD"}:
            status = app.test_client().open(path, method=method, base_url="http://127.0.0.1")
            expected = 200 if rule.endpoint == "ping" else 401
            assert status.status_code == expected, rule


def test_an_unknown_address_tells_a_stranger_nothing(service: Service) -> None:
    answer = create_app(service).test_client().get("/v2/else", base_url="http://127.0.0.1")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].endswith(", Bearer")


@pytest.mark.parametrize("sent", ["Bearer", "Bearer x", "Basic {}", "Bearer {}x", "{}", "Bearer é"])
def test_any_other_token_is_refused(service: Service, sent: str) -> None:
    client = create_app(service).test_client()
    header = {"Authorization": sent.format(service.token), "Host": "127.0.0.1"}

    assert client.get("/v1/jobs", headers=header).status_code == 401


def test_the_token_counts_neither_in_the_address_nor_in_a_cookie(service: Service) -> None:
    client = create_app(service).test_client()
    client.set_cookie("token", service.token, domain="127.0.0.1")

    answer = client.get(f"/v1/jobs?token={service.token}", base_url="http://127.0.0.1")

    assert answer.status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.com", "127.0.0.1.evil.com", "localhost.", "[::1]", "evil.com:80", ""]
)
def test_a_host_that_is_not_ours_is_refused(client: FlaskClient, host: str) -> None:
    assert client.get("/v1/ping", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize(
    "header",
    [
        {"Origin": "https://evil.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1234"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
)
def test_web_pages_are_refused_even_with_the_token(
    client: FlaskClient, header: dict[str, str]
) -> None:
    assert client.get("/v1/jobs", headers=header).status_code == 403
    assert client.get("/v1/ping", headers=header).status_code == 403


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_what_a_page_may_send_unasked_is_no_request(client: FlaskClient, media: str) -> None:
    answer = client.post("/v1/jobs", data='{"kind":"generate","prompt":"x"}', content_type=media)

    assert answer.status_code == 415


def test_options_is_no_method_and_nothing_allows_other_origins(client: FlaskClient) -> None:
    answer = client.options("/v1/jobs")

    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("path", ["/v1/ping", "/v1/jobs", "/nothing"])
def test_every_answer_carries_the_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Request-Id"]


def test_ping_proves_that_it_knows_the_token(service: Service, client: FlaskClient) -> None:
    nonce = "00112233445566778899aabbccddeeff"
    expected = hmac.new(service.token.encode(), nonce.encode(), hashlib.sha256).hexdigest()

    assert client.get(f"/v1/ping?nonce={nonce}").json == {"ok": True, "proof": expected}


def test_a_request_id_is_kept_if_it_is_harmless(client: FlaskClient) -> None:
    kept = client.get("/v1/jobs", headers={"X-Request-Id": "abc-1"})
    replaced = client.get("/v1/jobs", headers={"X-Request-Id": "<script>"})

    assert kept.headers["X-Request-Id"] == "abc-1"
    assert "<" not in replaced.headers["X-Request-Id"]


def test_an_error_does_not_repeat_what_was_sent(client: FlaskClient) -> None:
    secret = "the king's secret"
    answer = client.post("/v1/jobs", json=generate_request(secret, seed="wrong"))

    assert answer.status_code == 422
    assert secret not in answer.text


def test_only_the_operator_sees_the_folders_of_models(service: Service) -> None:
    app, artist = create_app(service).test_client(), service.tokens.add("ana").token

    def paths(token: str) -> list[str]:
        header = {"Authorization": f"Bearer {token}", "Host": "127.0.0.1"}
        answer = app.get("/v1/models", headers=header).json
        assert answer is not None
        return [one["path"] for one in answer["models"] if one["path"]]

    assert paths(service.token)
    assert paths(artist) == []


def test_an_artist_is_told_whom_to_ask_about_a_model() -> None:
    assert artists_note("") == ""
    assert artists_note("Add /srv/models/base.") == "Ask who runs the backend about this model."
