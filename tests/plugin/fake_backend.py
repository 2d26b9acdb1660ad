"""A small backend for the plugin's tests: speaks the real contract's models over real HTTP."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from pydantic import TypeAdapter
from requests.utils import parse_dict_header

from modelsheet import __version__
from modelsheet.api.animate import (
    Action,
    ActionList,
    AnimateRequest,
    AnimateResult,
    AnimationFrame,
    FigureFit,
    ViewName,
)
from modelsheet.api.describe_images import (
    ClassNounGuess,
    ClassNounList,
    DescribeRequest,
    DescribeResult,
    PreparedImage,
)
from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GeneratedImage, GenerateResult, GenerationParameters
from modelsheet.api.jobs import (
    Event,
    EventPage,
    JobError,
    JobList,
    JobRequest,
    JobView,
    Progress,
    QueueView,
)
from modelsheet.api.learn import Estimate, LearnRequest, LearnResult
from modelsheet.api.models import BaseModelView, ModelList, ModelView
from modelsheet.api.problems import Problem
from modelsheet.api.subjects import (
    ImportRequest,
    RenameRequest,
    SubjectArchiveRequest,
    SubjectList,
    SubjectView,
)
from modelsheet.api.system import Capabilities, Empty, Ping
from modelsheet.api.types import API_VERSION, ApiModel, Family, ImageRef
from modelsheet.imaging.png_metadata import parameters_text
from modelsheet.prompts.class_nouns import match_class_noun
from modelsheet.prompts.everyday_nouns import everyday_nouns
from modelsheet.prompts.vocabulary import vocabulary
from modelsheet.service.auth.digest import REALM, DigestAnswer
from modelsheet.service.queue.job import abridged

JOBS_ON_A_PAGE = 2
TOKEN = "the token"
REQUEST: TypeAdapter[Any] = TypeAdapter(JobRequest)
VIEWS: list[ViewName] = ["front", "left", "back", "right"]
ACTIONS = [
    Action(name="stand", title="Stand", views=VIEWS, frames=1, frame_ms=100, loops=True),
    Action(name="walk", title="Walk", views=VIEWS, frames=3, frame_ms=100, loops=True),
    Action(name="slash", title="Slash", views=VIEWS, frames=3, frame_ms=100, loops=False),
]
FIT = FigureFit(body="male", top=1, neck=4, feet=14, centre=6, head_width=4, body_width=5)
MODEL = BaseModelView(id="sprite32", family="sprite32", resolution=32, available=True)


class FakeBackend:
    """Holds what it was sent; `finish` and `progress` play the worker."""

    def __init__(self) -> None:
        self.api = API_VERSION
        self.version = __version__
        self.boot_id = "0123456789abcdef"
        self.nonce = uuid4().hex
        self.blobs: dict[str, bytes] = {}
        self.requests: dict[str, Any] = {}
        self.jobs: dict[str, JobView] = {}
        self.subjects: list[SubjectView] = []
        self.events: list[Event] = []
        self.headers_seen: list[dict[str, str]] = []
        self.verbs: list[str] = []
        self.waiting: list[str] = []
        self.imported: list[tuple[ImportRequest, bytes]] = []
        self.class_nouns = ["death knight", "fox", "human woman", "knight"]
        self.likelihood = 0.75  # of the first guess
        self.describes_at_once = True
        self.idle_minutes = 0.0
        self.family: Family = "sprite32"
        self.guesses = ["knight"]
        self.drawn_pixels = 1  # side in px of a pixel in the artist's pictures
        self.estimates = {"balanced": Estimate(training_steps=120)}
        self.base_models = [MODEL]
        self.actions: list[Action] | None = ACTIONS  # None: a backend of version 0.1
        self.models: list[ModelView] = []
        self.refusal = ""  # what is said against a file that is to be imported
        self.padding = 0  # bytes by which a packed subject is larger
        self.changed = threading.Condition()
        self.is_closing = False
        handler = type("Handler", (_Handler,), {"backend": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        with self.changed:
            self.is_closing = True
            self.changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def restart(self) -> None:
        """As if the process had ended and come back on the same port: all cursors are void."""
        with self.changed:
            self.boot_id = "fedcba9876543210"
            self.events.clear()
            self.changed.notify_all()

    def the_request(self, kind: type) -> Any:
        return next((one for one in list(self.requests.values()) if isinstance(one, kind)), None)

    def submit(self, request: Any) -> JobView:
        named = (getattr(request, field, "") for field in ("name", "prompt", "model"))
        title = next(filter(None, named), "describe")
        view = JobView(
            id=str(uuid4()),
            kind=request.kind,
            title=title,
            state="queued",
            attempt=0,
            progress=Progress(),
            created=time.time(),
        )
        self.requests[view.id] = request
        self.publish(view)
        if isinstance(request, DescribeRequest) and self.describes_at_once:
            self.finish(view.id, result=self._described(request))
        return view

    def _described(self, request: DescribeRequest) -> DescribeResult:
        guesses = [ClassNounGuess(noun=one, probability=self.likelihood) for one in self.guesses]
        return DescribeResult(
            class_nouns=guesses if request.nouns else [],
            identifiers=["sks"] if request.nouns else [],
            prepared=[self._prepared(image) for image in request.images if request.prepared],
        )

    def _prepared(self, image: ImageRef) -> PreparedImage:
        """Reduce an image to 32 px in one colour; `drawn_pixels` px of it were one drawn pixel."""
        pixels = b"\x00\xff\x00\xff" * 32 * 32
        sha256 = hashlib.sha256(pixels).hexdigest()
        self.blobs[sha256] = pixels
        return PreparedImage(
            blob=sha256,
            width=32,
            height=32,
            drawn_width=image.width // self.drawn_pixels,
            drawn_height=image.height // self.drawn_pixels,
        )

    def progress(self, kind: str, progress: Progress) -> None:
        job = self.job_of(kind)
        self.publish(job.model_copy(update={"state": "running", "progress": progress}))

    def job_of(self, kind: str) -> JobView:
        return next(job for job in list(self.jobs.values()) if job.kind == kind)

    def finish(
        self, job_id: str, *, state: str = "done", result: Any = None, error: Any = None
    ) -> None:
        changes = {"state": state, "result": result, "error": error, "finished": time.time()}
        self.publish(self.jobs[job_id].model_copy(update=changes))

    def fail(self, kind: str, sentence: str) -> None:
        error = JobError(code="oom", sentence=sentence)
        self.finish(self.job_of(kind).id, state="failed", error=error)

    def learn_done(self) -> None:
        job = self.job_of("learn")
        request: LearnRequest = self.requests[job.id]
        self.subjects[:] = [one for one in self.subjects if one.id != request.replaces]
        self.subjects.insert(
            0,
            SubjectView(
                id=job.id,
                name=request.name,
                class_noun=request.class_noun,
                identifier="sks",
                base_model=request.base_model,
                created=time.time(),
                references=request.images,
                training_steps=10,
                likeness=0.5,
            ),
        )
        self.publish(None)
        result = LearnResult(subject_id=job.id, training_steps=10, best_step=10, seconds=1.0)
        self.finish(job.id, result=result)

    def generate_done(self, colour: bytes = b"\x00\x00\xff\xff", side: int = 8) -> None:
        job = next(j for j in list(self.jobs.values()) if j.kind == "generate" and j.result is None)
        request: GenerateRequest = self.requests[job.id]
        pixels = colour * (side * side)
        sha256 = hashlib.sha256(pixels).hexdigest()
        self.blobs[sha256] = pixels
        grid = request.explore
        cells = len(grid.across.values) * len(grid.down.values) if grid and grid.down else 1
        images = [
            GeneratedImage(
                blob=sha256,
                width=side,
                height=side,
                seed=request.seed + k,
                prompt="expanded",
                recipe=recipe(request),
                parameters=parameters_text(recipe(request)),
            )
            for k in range(request.count * cells)
        ]
        self.finish(job.id, result=GenerateResult(images=images))

    def animate_done(self, side: int = 8) -> AnimateRequest:
        """Finish the newest animation: a picture of one grey for each key view and frame."""
        job = next(j for j in list(self.jobs.values()) if j.kind == "animate" and j.result is None)
        request: AnimateRequest = self.requests[job.id]
        key_views = [self._frame(view, "", 0, side) for view in request.views]
        frames = [
            self._frame(view, action, index, side)
            for action in [*request.actions, *(own.name for own in request.own_actions)]
            for view in request.views
            for index in range(3)
        ]
        result = AnimateResult(
            key_views=key_views,
            frames=frames,
            mannequins=key_views,
            fit=FIT,
            scale=1.0,
            origin_x=1,
            origin_y=2,
        )
        self.finish(job.id, result=result)
        return request

    def preview(self, label: str) -> GeneratedImage:
        """Return a picture that a running animation has drawn."""
        pixels = label.ljust(64).encode()[:64] * 4
        sha256 = hashlib.sha256(pixels).hexdigest()
        self.blobs[sha256] = pixels
        return GeneratedImage(blob=sha256, width=8, height=8, seed=0, prompt="", label=label)

    def _frame(self, view: ViewName, action: str, index: int, side: int) -> AnimationFrame:
        level = 40 * (VIEWS.index(view) + 1) + 5 * index + (3 if action else 0)
        pixels = bytes((level, level, level, 255)) * (side * side)
        sha256 = hashlib.sha256(pixels).hexdigest()
        self.blobs[sha256] = pixels
        return AnimationFrame(
            blob=sha256,
            width=side,
            height=side,
            view=view,
            action=action,
            index=index,
            frame_ms=100 if action else 0,
        )

    def import_lora(self, request: ImportRequest) -> SubjectView:
        self.imported.append((request, b"".join(self.blobs[part] for part in request.parts)))
        return self._appear(
            SubjectView(
                id=str(uuid4()),
                name=request.name,
                class_noun=request.class_noun,
                identifier=request.identifier,
                base_model=request.base_model,
                created=time.time(),
                references=[],
                training_steps=10,
            )
        )

    def pack(self, subject: SubjectView) -> bytes:
        return subject.model_dump_json().encode() + b" " * self.padding

    def unpack(self, request: SubjectArchiveRequest) -> SubjectView:
        content = b"".join(self.blobs[part] for part in request.parts)
        return self._appear(SubjectView.model_validate_json(content))

    def add_unlearnt(self, request: LearnRequest) -> SubjectView:
        return self._appear(
            SubjectView(
                id=str(uuid4()),
                name=request.name,
                class_noun=request.class_noun,
                identifier="",
                base_model=request.base_model,
                created=time.time(),
                references=request.images,
                captions=request.captions or [],
                is_learnt=False,
                training_steps=0,
            )
        )

    def _appear(self, subject: SubjectView) -> SubjectView:
        self.subjects.insert(0, subject)
        self.publish(None)
        return subject

    def publish(self, view: JobView | None) -> None:
        with self.changed:
            if view is not None:
                self.jobs[view.id] = view
            kind = "subjects" if view is None else "job"
            self.events.append(Event(seq=len(self.events) + 1, type=kind, job=view))
            self.changed.notify_all()

    def read_events(self, after: str, wait_s: float) -> EventPage:
        boot_id, _, seq = after.partition(":")
        with self.changed:
            if boot_id == self.boot_id:
                self.changed.wait_for(
                    lambda: (
                        self.is_closing or self.boot_id != boot_id or len(self.events) > int(seq)
                    ),
                    wait_s,
                )
            cursor = f"{self.boot_id}:{len(self.events)}"
            if boot_id != self.boot_id:
                return EventPage(events=[], cursor=cursor, gap=True)
            return EventPage(events=self.events[int(seq) :], cursor=cursor)


def recipe(request: GenerateRequest) -> GenerationParameters:
    return GenerationParameters(
        version=__version__,
        base_model="sprite32",
        text="expanded",
        subjects=[],
        sampler="Euler",
        inference_steps=20,
        guidance_scale=4.0,
        width=8,
        height=8,
        request=request,
    )


class _Handler(BaseHTTPRequestHandler):
    backend: FakeBackend
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.backend.headers_seen.append({"path": parts.path, **dict(self.headers.items())})
        if parts.path != "/v1/ping" and not self._has_token():
            self._refuse(401, "unauthorized", "The token is wrong.")
            return
        self._route(parts.path.split("/")[2:], query, body)

    def _has_token(self) -> bool:
        key = hashlib.sha256(TOKEN.encode()).hexdigest()
        sent = parse_dict_header(self.headers.get("Authorization", "").removeprefix("Digest "))
        names = ("uri", "username", "nonce", "nc", "cnonce", "response")
        answer = DigestAnswer(self.command, *(sent.get(name) or "" for name in names))
        return answer.nonce == self.backend.nonce and answer.is_by(key)

    def _route(self, path: list[str], query: dict[str, str], body: bytes) -> None:
        backend = self.backend
        if path == ["ping"]:
            nonce = query.get("nonce", "").encode()
            self._answer(Ping(proof=hmac.new(TOKEN.encode(), nonce, "sha256").hexdigest()))
        elif path == ["capabilities"]:
            self._answer(
                Capabilities(
                    api=backend.api,
                    version=backend.version,
                    boot_id=backend.boot_id,
                    base_models=backend.base_models,
                    presets=["quick", "balanced", "thorough", "write-up", "seed"],
                    limits={},
                    idle_minutes=backend.idle_minutes,
                )
            )
        elif path == ["models"]:
            self._answer(ModelList(models=backend.models))
        elif path == ["class-nouns"]:
            everyday = everyday_nouns()
            self._answer(ClassNounList(class_nouns=backend.class_nouns, everyday_nouns=everyday))
        elif path == ["class-nouns", "match"]:
            self._answer(match_class_noun(query["noun"], backend.family, backend.class_nouns))
        elif path == ["vocabulary"]:
            self._answer(vocabulary(backend.family))
        elif path == ["actions"] and backend.actions is None:
            self._refuse(404, "not-found", "There is no such address.")
        elif path == ["actions"]:
            self._answer(ActionList(actions=backend.actions, bodies=["male"]))
        elif path == ["estimate"]:
            self._answer(backend.estimates[query["preset"]])
        elif path == ["events"]:
            self._answer(backend.read_events(query.get("after", ""), float(query["wait"])))
        elif path[0] in ("subjects", "parcels"):
            self._subjects(path, query, body)
        elif path[0] == "blobs":
            self._blob(path[1], body)
        else:
            self._jobs(path, query, body)

    def _subjects(self, path: list[str], query: dict[str, str], body: bytes) -> None:
        backend = self.backend
        known = {one.id: one for one in backend.subjects}
        if path == ["subjects"] and self.command == "GET":
            self._answer(SubjectList(subjects=backend.subjects))
        elif path == ["subjects"] and backend.refusal:
            self._refuse(422, "unsafe-model", backend.refusal)
        elif path == ["subjects", "unlearnt"]:
            request = LearnRequest.model_validate_json(body)
            self._answer(backend.add_unlearnt(request), status=201)
        elif path == ["subjects"]:
            self._answer(backend.import_lora(ImportRequest.model_validate_json(body)), status=201)
        elif path == ["parcels"]:
            self._answer(
                backend.unpack(SubjectArchiveRequest.model_validate_json(body)), status=201
            )
        elif path[-1] == "adapter":
            self._send(200, f"{known[path[1]].name} as {query['format']}".encode())
        elif path[-1] == "parcel":
            self._send(200, backend.pack(known[path[1]]))
        elif self.command == "PATCH":
            name = RenameRequest.model_validate_json(body).name
            if name == "Taken":
                self._refuse(409, "conflict-state", "There is a subject @taken already.")
                return
            renamed = known[path[1]].model_copy(update={"name": name})
            backend.subjects[:] = [renamed if one.id == path[1] else one for one in known.values()]
            backend.publish(None)
            self._answer(renamed)
        elif self.command == "DELETE":
            backend.subjects[:] = [one for one in known.values() if one.id != path[1]]
            backend.publish(None)
            self._answer(Empty())

    def _jobs(self, path: list[str], query: dict[str, str], body: bytes) -> None:
        if path == ["jobs"] and self.command == "GET":
            newest = [abridged(job) for job in self.backend.jobs.values()]
            rest = newest[int(query.get("after", "0")) :]
            end = len(newest) - len(rest) + JOBS_ON_A_PAGE
            self._answer(
                JobList(jobs=rest[:JOBS_ON_A_PAGE], cursor=str(end) if end < len(newest) else "")
            )
        elif path == ["jobs"]:
            request = REQUEST.validate_json(body)
            if "@nobody" in getattr(request, "prompt", ""):
                self._refuse(404, "not-found", "There is no subject @nobody.")
                return
            self._answer(self.backend.submit(request), status=202)
        elif len(path) == 2 and path[0] == "jobs" and self.command == "GET":
            self._answer(self.backend.jobs[path[1]])
        elif path == ["queue"]:
            self._answer(QueueView(state="open", waiting=self.backend.waiting))
        else:
            self._tell(path[1], path[2], body)

    def _tell(self, job_id: str, verb: str, body: bytes) -> None:
        self.backend.verbs.append(verb)
        if verb == "move":
            before = json.loads(body)["before"]
            self.backend.waiting.remove(job_id)
            waiting = self.backend.waiting
            waiting.insert(waiting.index(before) if before else len(waiting), job_id)
        elif verb == "cancel":
            self.backend.finish(job_id, state="cancelled")
        else:
            state = {"pause": "paused", "resume": "queued", "finish": "running"}[verb]
            self.backend.publish(self.backend.jobs[job_id].model_copy(update={"state": state}))
        self._answer(self.backend.jobs[job_id])

    def _blob(self, sha256: str, body: bytes) -> None:
        if self.command == "PUT":
            assert hashlib.sha256(body).hexdigest() == sha256
            self.backend.blobs[sha256] = body
            self._send(200, b"{}")
        elif sha256 in self.backend.blobs:
            self._send(200, self.backend.blobs[sha256])
        else:
            self._refuse(404, "not-found", "There is no such blob.")

    def _refuse(self, status: int, code: str, detail: str) -> None:
        problem = Problem(
            type=f"urn:modelsheet:problem:{code}",
            title="No",
            status=status,
            code=code,
            detail=detail,
        )
        self._answer(problem, status=status)

    def _answer(self, model: ApiModel, status: int = 200) -> None:
        self._send(status, json.dumps(model.model_dump(mode="json")).encode())

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        if status == 401:
            challenge = (
                f'realm="{REALM}", qop="auth", algorithm=SHA-256, nonce="{self.backend.nonce}"'
            )
            self.send_header("WWW-Authenticate", f"Digest {challenge}, Bearer")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
