"""A program in the place of a tunnel passes everything on: what it hears opens nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from modelsheet.client.client import BackendClient
from modelsheet.errors import ModelsheetError

PASSED_ON = ("Authorization", "Content-Type", "Idempotency-Key")


class Relay(BaseHTTPRequestHandler):
    """Passes requests on to the service, and notes their heads."""

    protocol_version = "HTTP/1.1"
    service_url = ""
    heard: list[tuple[str, str, str]] = []  # method, path, Authorization

    def do_GET(self) -> None:
        self.heard.append((self.command, self.path, self.headers.get("Authorization", "")))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        url = self.service_url + self.path
        answer = requests.request(self.command, url, data=body, headers=headers, timeout=30)
        self.send_response(answer.status_code)
        if "WWW-Authenticate" in answer.headers:
            self.send_header("WWW-Authenticate", answer.headers["WWW-Authenticate"])
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *arguments: object) -> None:
        return


@pytest.fixture
def through_relay(client: BackendClient, server: list[str]) -> Iterator[BackendClient]:
    """A client whose requests all pass through the relay."""
    Relay.service_url = client.url
    Relay.heard.clear()
    token = server[1].removeprefix("--token=")
    with ThreadingHTTPServer(("127.0.0.1", 0), Relay) as relay:
        thread = threading.Thread(target=relay.serve_forever)
        thread.start()
        with BackendClient(f"http://127.0.0.1:{relay.server_port}", token) as relayed:
            yield relayed
        relay.shutdown()
        thread.join()


def test_a_relay_never_hears_the_token(through_relay: BackendClient, server: list[str]) -> None:
    through_relay.verify_service()
    through_relay.capabilities()
    through_relay.upload_bytes(b"\0" * 16)

    token = server[1].removeprefix("--token=")
    assert {path for _, path, _ in Relay.heard} >= {"/v1/capabilities"}
    assert not any(token in sent for _, _, sent in Relay.heard)


def test_what_a_relay_heard_opens_no_other_request(
    through_relay: BackendClient, client: BackendClient
) -> None:
    through_relay.verify_service()
    through_relay.capabilities()
    header = {"Authorization": Relay.heard[-1][2]}

    others = [("GET", "/v1/subjects"), ("POST", "/v1/capabilities"), ("GET", "/v1/capabilities?x")]
    for method, path in others:
        answer = requests.request(method, client.url + path, headers=header, timeout=30)
        assert answer.status_code == 401, (method, path)


def test_an_artist_is_known_by_a_digest_until_the_token_is_revoked(client: BackendClient) -> None:
    from modelsheet.api.admin import NewToken, TokenRequest
    from modelsheet.api.system import Empty

    made = client.call("POST", "/v1/tokens", NewToken, TokenRequest(name="ann"))
    with BackendClient(client.url, made.token) as ann:
        ann.verify_service()
        assert ann.subjects() == []
        client.call("DELETE", "/v1/tokens/ann", Empty)
        with pytest.raises(ModelsheetError, match="token"):
            ann.subjects()
