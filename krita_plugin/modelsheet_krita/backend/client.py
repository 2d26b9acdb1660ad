"""Talks HTTP with one backend; no Qt, no Krita. All of it blocks: for the link's thread only."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import uuid
from dataclasses import dataclass
from typing import Any, Callable, TypeVar
from urllib.parse import urlencode

from .._vendor import requests
from ..errors import BackendDown, BackendRefused, RequestRefused
from ..i18n import tr
from . import api_responses
from .api_requests import ImportRequest, Request
from .json_codec import decode, encode
from .long_poll import Bell, InterruptibleAdapter

T = TypeVar("T")

CONNECT_TIMEOUT_S = 3.05
READ_TIMEOUT_S = 15.0
TRANSFER_TIMEOUT_S = 120.0
POLL_S = 10


@dataclass(frozen=True)
class Address:
    """Where a backend is and the token it wants."""

    url: str
    token: str


class Client:
    """One backend, authenticated. Raises only BackendError and its kinds."""

    def __init__(self, address: Address, bell: Bell, on_ring: Callable[[], None]) -> None:
        self._url = address.url.rstrip("/")
        self._token = address.token
        self._session = _session(address.token)
        self._poll_session = _session(address.token)
        patient = InterruptibleAdapter(bell, on_ring, POLL_S + READ_TIMEOUT_S)
        self._poll_session.mount(self._url, patient)

    def close(self) -> None:
        self._session.close()
        self._poll_session.close()

    def prove(self) -> None:
        """Make sure that whoever answers knows the token, before it is sent.

        Raises BackendRefused.
        """
        nonce, key = secrets.token_hex(16), hashlib.sha256(self._token.encode()).hexdigest()
        # Without the session: its header would give the token away to a stranger on a stale port.
        with _session(None) as bare:
            path = f"/v1/ping?nonce={nonce}&key={key[:16]}"
            answer = self._request(bare, "GET", path, READ_TIMEOUT_S)
        # Of an artist's token the backend knows only the sum, and proves that.
        proofs = [
            hmac.new(secret.encode(), nonce.encode(), hashlib.sha256).hexdigest()
            for secret in (self._token, key)
        ]
        if _parsed(api_responses.Ping, answer).proof not in proofs:
            raise BackendRefused(
                tr(
                    "Another program answers at the backend's address. Close it, or press Try "
                    "Again to start the backend anew."
                )
            )

    def capabilities(self) -> api_responses.Capabilities:
        """Ask what the backend is. Raises BackendRefused when its version does not fit."""
        found = _parsed(api_responses.Capabilities, self._send("GET", "/v1/capabilities"))
        if found.api.split(".")[0] != api_responses.API_MAJOR:
            raise BackendRefused(
                tr(
                    "The backend is version {version} (API {api}), but this plugin needs API "
                    "{needed}. Update both with ./install.sh, then start Krita again.",
                    version=found.version,
                    api=found.api,
                    needed=api_responses.API_MAJOR,
                )
            )
        return found

    def jobs(self) -> tuple[api_responses.JobView, ...]:
        return _parsed(api_responses.JobList, self._send("GET", "/v1/jobs")).jobs

    def subjects(self) -> tuple[api_responses.SubjectView, ...]:
        return _parsed(api_responses.SubjectList, self._send("GET", "/v1/subjects")).subjects

    def delete_subject(self, subject_id: str) -> None:
        self._send("DELETE", f"/v1/subjects/{subject_id}")

    def models(self) -> tuple[api_responses.ModelView, ...]:
        """What is there, and what could be downloaded."""
        return _parsed(api_responses.ModelList, self._send("GET", "/v1/models")).models

    def estimate(self, base_model: str, preset: str) -> api_responses.Estimate:
        """What learning will take."""
        query = urlencode({"base_model": base_model, "preset": preset})
        return _parsed(api_responses.Estimate, self._send("GET", f"/v1/estimate?{query}"))

    def class_nouns(self, base_model: str) -> tuple[str, ...]:
        """All that a base model takes for what a subject is."""
        query = urlencode({"base_model": base_model})
        answer = self._send("GET", f"/v1/class-nouns?{query}")
        return _parsed(api_responses.ClassNounList, answer).class_nouns

    def rename_subject(self, subject_id: str, name: str) -> api_responses.SubjectView:
        answer = self._send("PATCH", f"/v1/subjects/{subject_id}", json={"name": name})
        return _parsed(api_responses.SubjectView, answer)

    def lora(self, subject_id: str, file_format: str) -> bytes:
        """The subject as a LoRA file; `file_format`: kohya or diffusers."""
        path = f"/v1/subjects/{subject_id}/adapter?format={file_format}"
        return self._send("GET", path, timeout_s=TRANSFER_TIMEOUT_S).content

    def parcel(self, subject_id: str) -> bytes:
        """All there is of a subject, for another backend."""
        path = f"/v1/subjects/{subject_id}/parcel"
        return self._send("GET", path, timeout_s=TRANSFER_TIMEOUT_S).content

    def import_lora(self, request: ImportRequest) -> api_responses.SubjectView:
        """Its parts were sent beforehand, as those of a parcel."""
        body = encode(request)
        answer = self._send("POST", "/v1/subjects", json=body, timeout_s=TRANSFER_TIMEOUT_S)
        return _parsed(api_responses.SubjectView, answer)

    def unpack(self, parts: tuple[str, ...]) -> api_responses.SubjectView:
        body = {"parts": parts}
        answer = self._send("POST", "/v1/parcels", json=body, timeout_s=TRANSFER_TIMEOUT_S)
        return _parsed(api_responses.SubjectView, answer)

    def tell_job(self, job_id: str, verb: str) -> api_responses.JobView:
        """`verb`: cancel, pause, resume or finish."""
        return _parsed(
            api_responses.JobView, self._send("POST", f"/v1/jobs/{job_id}/{verb}", json={})
        )

    def move_job(self, job_id: str, before: str | None) -> None:
        """Put a waiting job right before another of its kind, or last."""
        self._send("POST", f"/v1/jobs/{job_id}/move", json={"before": before})

    def waiting(self) -> tuple[str, ...]:
        """The ids of the jobs that wait, the next one first."""
        return _parsed(api_responses.QueueView, self._send("GET", "/v1/queue")).waiting

    def submit(self, request: Request) -> api_responses.JobView:
        """Hand in a job; sent twice because an answer was lost, it is still one job."""
        key = {"Idempotency-Key": uuid.uuid4().hex}
        body = encode(request)
        return _parsed(
            api_responses.JobView, self._send("POST", "/v1/jobs", json=body, headers=key)
        )

    def put_blob(self, content: bytes) -> str:
        """Send raw pixels or a piece of a file unless the backend has it; return its sha256."""
        sha256 = hashlib.sha256(content).hexdigest()
        path = f"/v1/blobs/{sha256}"
        if self._request(self._session, "HEAD", path, READ_TIMEOUT_S).status_code == 404:
            octets = {"Content-Type": "application/octet-stream"}
            self._send("PUT", path, data=content, headers=octets, timeout_s=TRANSFER_TIMEOUT_S)
        return sha256

    def picture(self, sha256: str) -> bytes:
        return self._send("GET", f"/v1/blobs/{sha256}", timeout_s=TRANSFER_TIMEOUT_S).content

    def events(self, cursor: str, wait_s: int) -> api_responses.EventPage:
        path = f"/v1/events?after={cursor}&wait={wait_s}"
        answer = self._request(self._poll_session, "GET", path, wait_s + READ_TIMEOUT_S)
        return _parsed(api_responses.EventPage, _accepted(answer))

    def _send(
        self, method: str, path: str, *, timeout_s: float = READ_TIMEOUT_S, **options: Any
    ) -> requests.Response:
        return _accepted(self._request(self._session, method, path, timeout_s, **options))

    def _request(
        self, session: Any, method: str, path: str, timeout_s: float, **options: Any
    ) -> requests.Response:
        timeout = (CONNECT_TIMEOUT_S, timeout_s)
        try:
            # No redirects: they could carry the token to another host.
            return session.request(
                method, self._url + path, timeout=timeout, allow_redirects=False, **options
            )
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise BackendRefused(
                tr("{url} is no address. Mend it in the backend settings.", url=self._url)
            ) from error
        except requests.exceptions.SSLError as error:
            raise BackendRefused(
                tr(
                    "{url} shows no certificate this computer trusts. Ask who runs it.",
                    url=self._url,
                )
            ) from error
        except (requests.RequestException, OSError) as error:
            raise BackendDown(
                tr(
                    "No backend answers at {url}. Check that it runs, then press Try Again.",
                    url=self._url,
                )
            ) from error


def _session(token: str | None) -> requests.Session:
    session = requests.Session()
    # Proxies named in the environment must not catch 127.0.0.1, nor .netrc replace the token.
    session.trust_env = False
    if token is not None:
        session.headers["Authorization"] = f"Bearer {token}"
    return session


def _accepted(answer: requests.Response) -> requests.Response:
    """Return the answer if it is a yes; else raise with the backend's own sentence."""
    if answer.status_code in (401, 403):
        raise BackendRefused(
            tr(
                "The backend does not accept the token. Copy it again from the backend's "
                "server.json into the backend settings, or press Try Again."
            )
        )
    if 200 <= answer.status_code < 300:
        return answer
    if 300 <= answer.status_code < 400:
        raise BackendRefused(_unreadable())
    problem = _parsed(api_responses.Problem, answer)
    sentence = problem.detail or problem.title
    if answer.status_code == 503:
        raise BackendDown(sentence)
    raise RequestRefused(sentence, problem.code)


def _parsed(kind: type[T], answer: requests.Response) -> T:
    try:
        return decode(kind, json.loads(answer.content))
    except (KeyError, TypeError, ValueError) as error:
        raise BackendRefused(_unreadable()) from error


def _unreadable() -> str:
    return tr(
        "The address does not answer as a Modelsheet backend does. Check the URL in the settings, "
        "or update Modelsheet."
    )
