"""HTTP client of one backend, without Qt or Krita. Every call blocks: for the background thread."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, TypeVar
from urllib.parse import urlencode

from ..errors import BackendDown, BackendOfOtherVersion, BackendRefused, RequestRefused
from ..i18n import tr
from ..version import update_sentence
from . import api_responses
from .api_requests import ImportRequest, LearnRequest, Request
from .json_codec import decode, encode
from .long_poll import InterruptibleAdapter, SelectableEvent
from .url_safety import is_protected, unprotected

if TYPE_CHECKING:
    import requests
    from requests import auth
else:
    from .._vendor import requests
    from .._vendor.requests import auth

T = TypeVar("T")

CONNECT_TIMEOUT_S = 3.05
READ_TIMEOUT_S = 15.0
TRANSFER_TIMEOUT_S = 120.0
POLL_S = 10
MOST_JOBS = 500


@dataclass(frozen=True)
class Address:
    """URL of a backend and its token."""

    url: str
    token: str


class Client:
    """Authenticated client of one backend. Raises only BackendError and its subclasses."""

    def __init__(
        self, address: Address, wakeup: SelectableEvent, on_wakeup: Callable[[], None]
    ) -> None:
        self._url = address.url.rstrip("/")
        self._token = address.token
        self._session = _session(address.token)
        self._poll_session = _session(address.token)
        adapter = InterruptibleAdapter(wakeup, on_wakeup, POLL_S + READ_TIMEOUT_S)
        self._poll_session.mount(self._url, adapter)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()
        self._poll_session.close()

    def prove(self) -> None:
        """Check that the server knows the token. Raises BackendRefused: it does not, or what is
        sent there could be read on the way.
        """
        if not is_protected(self._url):
            raise BackendRefused(unprotected())
        nonce, key = secrets.token_hex(16), _key_of(self._token)
        with _session(None) as bare:
            path = f"/v1/ping?nonce={nonce}&key={key[:16]}"
            answer = self._request(bare, "GET", path, READ_TIMEOUT_S)
        # The backend stores only the hash of an artist's token, and proves that.
        proofs = [
            hmac.new(secret.encode(), nonce.encode(), hashlib.sha256).hexdigest()
            for secret in (self._token, key)
        ]
        if _parsed(api_responses.Ping, answer).proof not in proofs:
            raise BackendRefused(
                tr(
                    "What answers at {url} does not know the token. Check the URL, and copy the "
                    "token again into the backend settings. If both are right, another program "
                    "answers there: start the tunnel or the backend anew.",
                    url=self._url,
                )
            )

    def capabilities(self) -> api_responses.Capabilities:
        """Return version, base models, presets. Raises BackendOfOtherVersion: of another API."""
        found = _parsed(api_responses.Capabilities, self._send("GET", "/v1/capabilities"))
        if found.api.split(".")[0] != api_responses.API_MAJOR:
            raise BackendOfOtherVersion(
                update_sentence(found.version)
                or tr(
                    "The backend speaks API {api}, this plugin API {needed}. Update both.",
                    api=found.api,
                    needed=api_responses.API_MAJOR,
                )
            )
        return found

    def jobs(self) -> tuple[api_responses.JobView, ...]:
        """Return the newest jobs, abridged; at most some 500."""
        page = _parsed(api_responses.JobList, self._send("GET", "/v1/jobs"))
        jobs = page.jobs
        while page.cursor and len(jobs) < MOST_JOBS:
            answer = self._send("GET", f"/v1/jobs?after={page.cursor}")
            page = _parsed(api_responses.JobList, answer)
            jobs += page.jobs
        return jobs

    def job(self, job_id: str) -> api_responses.JobView:
        """Return a whole job."""
        return _parsed(api_responses.JobView, self._send("GET", f"/v1/jobs/{job_id}"))

    def subjects(self) -> tuple[api_responses.SubjectView, ...]:
        """Return all subjects."""
        return _parsed(api_responses.SubjectList, self._send("GET", "/v1/subjects")).subjects

    def delete_subject(self, subject_id: str) -> None:
        """Move a subject to the backend's trash."""
        self._send("DELETE", f"/v1/subjects/{subject_id}")

    def models(self) -> tuple[api_responses.ModelView, ...]:
        """Return the models that are installed or can be downloaded."""
        return _parsed(api_responses.ModelList, self._send("GET", "/v1/models")).models

    def estimate(self, base_model: str, preset: str) -> api_responses.Estimate:
        """Return the steps, seconds and bytes of memory that learning takes."""
        query = urlencode({"base_model": base_model, "preset": preset})
        return _parsed(api_responses.Estimate, self._send("GET", f"/v1/estimate?{query}"))

    def class_nouns(self, base_model: str) -> api_responses.ClassNounList:
        """Return the class nouns that a base model knows, and everyday nouns that lead to them."""
        query = urlencode({"base_model": base_model})
        return _parsed(api_responses.ClassNounList, self._send("GET", f"/v1/class-nouns?{query}"))

    def match_class_noun(self, base_model: str, noun: str) -> api_responses.ClassNounMatch:
        """Return which class noun a base model learns for a noun."""
        query = urlencode({"base_model": base_model, "noun": noun})
        answer = self._send("GET", f"/v1/class-nouns/match?{query}")
        return _parsed(api_responses.ClassNounMatch, answer)

    def vocabulary(self, base_model: str) -> api_responses.Vocabulary:
        """Return the phrases and words of a base model's captions."""
        query = urlencode({"base_model": base_model})
        return _parsed(api_responses.Vocabulary, self._send("GET", f"/v1/vocabulary?{query}"))

    def actions(self) -> api_responses.ActionList:
        """Return the actions that characters can do."""
        return _parsed(api_responses.ActionList, self._send("GET", "/v1/actions"))

    def rename_subject(self, subject_id: str, name: str) -> api_responses.SubjectView:
        """Rename a subject; return it."""
        answer = self._send("PATCH", f"/v1/subjects/{subject_id}", json={"name": name})
        return _parsed(api_responses.SubjectView, answer)

    def lora(self, subject_id: str, file_format: str) -> bytes:
        """Return the subject as a LoRA file; `file_format`: kohya or diffusers."""
        path = f"/v1/subjects/{subject_id}/adapter?format={file_format}"
        return self._send("GET", path, timeout_s=TRANSFER_TIMEOUT_S).content

    def subject_archive(self, subject_id: str) -> bytes:
        """Return a whole subject as one archive, for another backend."""
        path = f"/v1/subjects/{subject_id}/parcel"
        return self._send("GET", path, timeout_s=TRANSFER_TIMEOUT_S).content

    def add_unlearnt(self, request: LearnRequest) -> api_responses.SubjectView:
        """Make a subject of uploaded pictures, which paint it before it is learnt."""
        answer = self._send(
            "POST",
            "/v1/subjects/unlearnt",
            json=encode(request),
            timeout_s=TRANSFER_TIMEOUT_S,
        )
        return _parsed(api_responses.SubjectView, answer)

    def import_lora(self, request: ImportRequest) -> api_responses.SubjectView:
        """Make a subject of a LoRA file whose parts were uploaded beforehand."""
        body = encode(request)
        answer = self._send("POST", "/v1/subjects", json=body, timeout_s=TRANSFER_TIMEOUT_S)
        return _parsed(api_responses.SubjectView, answer)

    def import_archive(self, parts: tuple[str, ...]) -> api_responses.SubjectView:
        """Make a subject of an archive whose parts were uploaded beforehand."""
        body = {"parts": parts}
        answer = self._send("POST", "/v1/parcels", json=body, timeout_s=TRANSFER_TIMEOUT_S)
        return _parsed(api_responses.SubjectView, answer)

    def control_job(self, job_id: str, action: str) -> api_responses.JobView:
        """Cancel, pause, resume or finish a job."""
        answer = self._send("POST", f"/v1/jobs/{job_id}/{action}", json={})
        return _parsed(api_responses.JobView, answer)

    def move_job(self, job_id: str, before: str | None) -> None:
        """Move a waiting job right before another of its kind, or to the end."""
        self._send("POST", f"/v1/jobs/{job_id}/move", json={"before": before})

    def queue(self) -> tuple[str, ...]:
        """Return the ids of the waiting jobs, the next one first."""
        return _parsed(api_responses.QueueView, self._send("GET", "/v1/queue")).waiting

    def submit(self, request: Request) -> api_responses.JobView:
        """Submit a job; the idempotency key makes one job of a request that is sent twice."""
        key = {"Idempotency-Key": uuid.uuid4().hex}
        body = encode(request)
        return _parsed(
            api_responses.JobView, self._send("POST", "/v1/jobs", json=body, headers=key)
        )

    def put_blob(self, content: bytes) -> str:
        """Upload raw pixels or a chunk of a file unless the backend has it; return its sha256."""
        sha256 = hashlib.sha256(content).hexdigest()
        path = f"/v1/blobs/{sha256}"
        if self._request(self._session, "HEAD", path, READ_TIMEOUT_S).status_code == 404:
            octets = {"Content-Type": "application/octet-stream"}
            self._send("PUT", path, data=content, headers=octets, timeout_s=TRANSFER_TIMEOUT_S)
        return sha256

    def get_blob(self, sha256: str) -> bytes:
        """Return the bytes of a blob."""
        return self._send("GET", f"/v1/blobs/{sha256}", timeout_s=TRANSFER_TIMEOUT_S).content

    def events(self, cursor: str, wait_s: int) -> api_responses.EventPage:
        """Return the events after `cursor`; wait for one up to `wait_s` (long poll)."""
        path = f"/v1/events?after={cursor}&wait={wait_s}"
        answer = self._request(self._poll_session, "GET", path, wait_s + READ_TIMEOUT_S)
        return _parsed(api_responses.EventPage, _accepted(answer))

    def _send(
        self, method: str, path: str, *, timeout_s: float = READ_TIMEOUT_S, **options: Any
    ) -> requests.Response:
        return _accepted(self._request(self._session, method, path, timeout_s, **options))

    def _request(
        self, session: requests.Session, method: str, path: str, timeout_s: float, **options: Any
    ) -> requests.Response:
        timeout = (CONNECT_TIMEOUT_S, timeout_s)
        try:
            # No redirects: they could carry the token to another host.
            return session.request(
                method, self._url + path, timeout=timeout, allow_redirects=False, **options
            )
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise BackendRefused(
                tr(
                    "{url} is not a valid address. Fix it in the backend settings.",
                    url=self._url,
                )
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
        # The token itself is never sent: who took the place of a tunnel could use it.
        key = _key_of(token)
        session.auth = auth.HTTPDigestAuth(key[:16], key)
    return session


def _key_of(token: str) -> str:
    """Return the sha256 under which the backend stores an artist's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _accepted(answer: requests.Response) -> requests.Response:
    """Return a successful response; else raise with the backend's own sentence."""
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
