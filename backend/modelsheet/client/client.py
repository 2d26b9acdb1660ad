"""Client of the HTTP API for the command line, the demo and scripts.

`launcher` finds and starts a service.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import requests
from PIL import Image
from pydantic import BaseModel, ValidationError
from requests.auth import HTTPDigestAuth

from modelsheet.api.animate import ActionList
from modelsheet.api.blobs import BlobView
from modelsheet.api.generate import MaskRef
from modelsheet.api.generate_result import GeneratedImage
from modelsheet.api.jobs import TERMINAL_STATES, EventPage, JobList, JobRequest, JobResult, JobView
from modelsheet.api.problems import Problem
from modelsheet.api.size_limits import MAX_BODY_BYTES
from modelsheet.api.subjects import SubjectList, SubjectView
from modelsheet.api.system import Capabilities, Ping
from modelsheet.api.types import API_VERSION, ImageRef
from modelsheet.errors import (
    BackendUnreachable,
    InvalidImages,
    InvalidRequest,
    ModelsheetError,
    error_for,
)
from modelsheet.imaging.rgba import from_bgra, to_bgra

_Response = TypeVar("_Response", bound=BaseModel)
_LONGEST_POLL_S = 15.0  # the limit of /v1/events
_CONNECT_TIMEOUT_S = 5.0
_OUTAGE_TIMEOUT_S = 30.0  # how long `wait` tolerates a service that restarts
_RETRY_S = 0.5
_MOST_LISTED = 500  # jobs


class BackendClient:
    """Client of the service at `url`. Every method raises ModelsheetError with a user sentence."""

    def __init__(self, url: str, token: str, *, timeout_s: float = 60.0) -> None:
        self.url = _checked_url(url)
        self._token = token
        self._timeout_s = timeout_s
        self._session = requests.Session()
        # The token itself is never sent: who took the place of a tunnel could use it.
        key = _key_of(token)
        self._session.auth = HTTPDigestAuth(key[:16], key)
        if _is_loopback(urlsplit(self.url).hostname or ""):
            self._session.trust_env = False  # a proxy cannot reach this machine's loopback

    def close(self) -> None:
        """Close the HTTP connections."""
        self._session.close()

    def __enter__(self) -> BackendClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def verify_service(self) -> None:
        """Verify by challenge and response that the service knows the token.

        Raises BackendUnreachable: another program listens there.
        """
        nonce, key = secrets.token_hex(16), _key_of(self._token)
        with requests.Session() as anonymous:
            anonymous.trust_env = self._session.trust_env
            response = self._send(anonymous, "GET", f"/v1/ping?nonce={nonce}&key={key[:16]}")
        # The service keeps only the sha256 of an artist's token, and proves that.
        proofs = [
            hmac.new(secret.encode(), nonce.encode(), hashlib.sha256).hexdigest()
            for secret in (self._token, key)
        ]
        content = self._checked(response).content
        try:
            proof = Ping.model_validate_json(content).proof
        except ValidationError:
            raise self._no_service(response) from None
        if proof not in proofs:
            raise BackendUnreachable(
                f"What answers at {self.url} does not know the token. "
                "Check the URL and copy the token again from that computer's connection file."
            )

    def capabilities(self) -> Capabilities:
        """Return versions, models and limits of the service.

        Raises BackendUnreachable: it has another major version of the API.
        """
        found = self._get("/v1/capabilities", Capabilities)
        if found.api.partition(".")[0] != API_VERSION.partition(".")[0]:
            raise BackendUnreachable(
                f"The service at {self.url} is version {found.version} (API {found.api}), but this "
                f"program needs API {API_VERSION}. Install the same version on both sides."
            )
        return found

    def upload(self, image: Image.Image, name: str = "") -> ImageRef:
        """Upload an image, unless the service has it already, and return its reference."""
        pixels = to_bgra(image)
        if len(pixels) > MAX_BODY_BYTES:
            raise InvalidImages(
                f"A picture of {image.width} × {image.height} pixels is too large to send: at "
                f"most {MAX_BODY_BYTES // 4} pixels (4096 × 4096) can be. Scale it down first."
            )
        blob = self.upload_bytes(pixels)
        return ImageRef(blob=blob, width=image.width, height=image.height, name=name)

    def upload_mask(self, mask: Image.Image) -> MaskRef:
        """Upload a selection mask of mode L and return its reference."""
        blob = self.upload_bytes(mask.tobytes())
        return MaskRef(blob=blob, width=mask.width, height=mask.height)

    def upload_bytes(self, content: bytes) -> str:
        """Upload a blob, unless the service has it already, and return its sha256."""
        sha256 = hashlib.sha256(content).hexdigest()
        path = f"/v1/blobs/{sha256}"
        if self._send(self._session, "HEAD", path).status_code == 404:
            headers = {"Content-Type": "application/octet-stream"}
            response = self._send(self._session, "PUT", path, data=content, headers=headers)
            self._parse(response, BlobView)
        return sha256

    def fetch_image(self, reference: ImageRef | GeneratedImage) -> Image.Image:
        """Download an image by its reference."""
        response = self._checked(self._send(self._session, "GET", f"/v1/blobs/{reference.blob}"))
        return from_bgra(response.content, reference.width, reference.height)

    def submit(self, request: JobRequest, *, key: str = "") -> JobView:
        """Submit a job, with one retry under the same idempotency key if the connection breaks.

        A repeated call with the same `key` returns the same job.
        """
        headers = {"Content-Type": "application/json", "Idempotency-Key": key or uuid4().hex}
        content = request.model_dump_json().encode()

        def send() -> requests.Response:
            return self._send(self._session, "POST", "/v1/jobs", data=content, headers=headers)

        try:
            response = send()
        except BackendUnreachable:
            response = send()
        return self._parse(response, JobView)

    def job(self, job_id: str) -> JobView:
        return self._get(f"/v1/jobs/{job_id}", JobView)

    def jobs(self) -> list[JobView]:
        """Return the newest jobs, abridged, newest first; at most some 500."""
        page = self._get("/v1/jobs", JobList)
        jobs = page.jobs
        while page.cursor and len(jobs) < _MOST_LISTED:
            page = self._get(f"/v1/jobs?after={page.cursor}", JobList)
            jobs = [*jobs, *page.jobs]
        return jobs

    def cancel(self, job_id: str) -> JobView:
        return self._parse(self._send(self._session, "POST", f"/v1/jobs/{job_id}/cancel"), JobView)

    def pause(self, job_id: str) -> JobView:
        return self._parse(self._send(self._session, "POST", f"/v1/jobs/{job_id}/pause"), JobView)

    def resume(self, job_id: str) -> JobView:
        return self._parse(self._send(self._session, "POST", f"/v1/jobs/{job_id}/resume"), JobView)

    def call(
        self, method: str, path: str, model: type[_Response], body: BaseModel | None = None
    ) -> _Response:
        """Call an operation of the API that has no method of its own here."""
        content = body.model_dump_json().encode() if body is not None else None
        headers = {"Content-Type": "application/json"} if body is not None else None
        response = self._send(self._session, method, path, data=content, headers=headers)
        return self._parse(response, model)

    def actions(self) -> ActionList:
        """Return the actions that characters can be animated in."""
        return self._get("/v1/actions", ActionList)

    def subjects(self) -> list[SubjectView]:
        return self._get("/v1/subjects", SubjectList).subjects

    def subject(self, subject_id: str) -> SubjectView:
        return self._get(f"/v1/subjects/{subject_id}", SubjectView)

    def export_lora(self, subject_id: str, file_format: str) -> bytes:
        """Export a subject as a LoRA file of this format."""
        path = f"/v1/subjects/{subject_id}/adapter?format={file_format}"
        return self._checked(self._send(self._session, "GET", path)).content

    def export_archive(self, subject_id: str) -> bytes:
        """Export a subject as an archive for another Modelsheet."""
        path = f"/v1/subjects/{subject_id}/parcel"
        return self._checked(self._send(self._session, "GET", path)).content

    def delete_subject(self, subject_id: str) -> None:
        self._checked(self._send(self._session, "DELETE", f"/v1/subjects/{subject_id}"))

    def events(self, after: str = "", *, wait_s: float = 0.0, job_id: str = "") -> EventPage:
        query = f"after={after}&wait={min(wait_s, _LONGEST_POLL_S)}&job={job_id}"
        return self._get(f"/v1/events?{query}", EventPage)

    def wait(self, job_id: str, on_change: Callable[[JobView], None]) -> JobResult:
        """Wait for the end of a job, through restarts of the service, and return its result.

        `on_change` gets every new view. Raises the job's own error, or Cancelled.
        """
        cursor = ""
        last_response_at = time.monotonic()
        while True:
            try:
                page = self.events(cursor, wait_s=_LONGEST_POLL_S, job_id=job_id)
                views = [event.job for event in page.events if event.job is not None]
                for view in [self.job(job_id)] if page.gap else views:
                    on_change(view)
                    if view.state in TERMINAL_STATES:
                        return _result_of(view)
            except BackendUnreachable:
                if time.monotonic() - last_response_at > _OUTAGE_TIMEOUT_S:
                    raise
                time.sleep(_RETRY_S)
                continue
            cursor, last_response_at = page.cursor, time.monotonic()
            time.sleep(page.retry_ms / 1000)

    def _get(self, path: str, model: type[_Response]) -> _Response:
        return self._parse(self._send(self._session, "GET", path), model)

    def _send(
        self,
        session: requests.Session,
        method: str,
        path: str,
        *,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        timeout = (_CONNECT_TIMEOUT_S, self._timeout_s)
        url = f"{self.url}{path}"
        try:
            return session.request(
                method, url, data=data, headers=headers, timeout=timeout, allow_redirects=False
            )
        except requests.Timeout:
            raise BackendUnreachable(
                f"The service at {self.url} does not answer in time. Try again in a minute."
            ) from None
        except requests.exceptions.SSLError:
            raise BackendUnreachable(
                f"This computer does not trust the certificate of {self.url}. Name the file of its "
                "authority in REQUESTS_CA_BUNDLE, or check the URL."
            ) from None
        except (requests.exceptions.ProxyError, requests.exceptions.InvalidSchema):
            raise BackendUnreachable(
                f"The proxy that this computer's settings name does not lead to {self.url}. "
                "Add that computer to NO_PROXY, or check the proxy."
            ) from None
        except requests.RequestException:
            raise BackendUnreachable(
                f"No service answers at {self.url}. Start one there with: modelsheet serve"
            ) from None

    def _checked(self, response: requests.Response) -> requests.Response:
        if response.ok and not response.is_redirect:
            return response
        try:
            problem = Problem.model_validate_json(response.content)
        except ValidationError:
            raise self._no_service(response) from None
        raise _error_of(problem)

    def _no_service(self, response: requests.Response) -> BackendUnreachable:
        return BackendUnreachable(
            f"What answers at {self.url} is no Modelsheet service (status "
            f"{response.status_code}). Check the URL."
        )

    def _parse(self, response: requests.Response, model: type[_Response]) -> _Response:
        try:
            return model.model_validate_json(self._checked(response).content)
        except ValidationError:
            raise BackendUnreachable(
                f"The service at {self.url} answers in a way this program does not know. "
                "Install the same version of Modelsheet on both sides."
            ) from None


def _checked_url(url: str) -> str:
    """Return a service's URL without a stroke at its end. Raises InvalidRequest: it is none, or
    what is sent there could be read on the way.
    """
    try:
        parts = urlsplit(url.strip())
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise InvalidRequest(
            f"{url!r} is no address of a service. Write it like http://127.0.0.1:7860 or "
            "https://gpu.example.org."
        )
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise InvalidRequest(
            f"Over http to another computer ({parts.hostname}), everybody on the way can read your "
            "pictures. Use https, or an ssh tunnel that begins here (http://127.0.0.1:7860)."
        )
    return url.strip().rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _key_of(token: str) -> str:
    """Return the sha256 under which the service stores an artist's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _error_of(problem: Problem) -> ModelsheetError:
    error = error_for(problem.code, problem.detail or problem.title)
    error.retryable = problem.retryable
    return error


def _result_of(view: JobView) -> JobResult:
    if view.error is not None:
        raise error_for(view.error.code, view.error.sentence)
    if view.result is None:
        raise error_for("cancelled", "The job was cancelled.")
    return view.result
