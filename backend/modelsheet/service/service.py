"""The service without HTTP: the parts that the routes call, made and wired for one data folder."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, get_args

import modelsheet
from modelsheet.api.animate import ActionList
from modelsheet.api.describe_images import ClassNounList, ClassNounMatch
from modelsheet.api.generate import SamplerName
from modelsheet.api.learn import LearnRequest, PresetName
from modelsheet.api.models import BaseModelView
from modelsheet.api.size_limits import MAX_BODY_BYTES, MAX_JSON_BYTES
from modelsheet.api.subjects import SubjectView
from modelsheet.api.system import Capabilities
from modelsheet.api.types import API_VERSION
from modelsheet.api.vocabulary import Vocabulary
from modelsheet.base_models.locate import family_of_base_model, view_of_base_model
from modelsheet.errors import InvalidRequest
from modelsheet.motion.figures.mannequin_archive import embedded_mannequins
from modelsheet.prompts.class_nouns import (
    known_class_nouns,
    match_class_noun,
    own_class_nouns,
    require_class_noun,
)
from modelsheet.prompts.everyday_nouns import everyday_nouns
from modelsheet.prompts.vocabulary import vocabulary
from modelsheet.service.auth.authentication import Authenticator
from modelsheet.service.auth.caller import Caller
from modelsheet.service.auth.tokens import TokenStore
from modelsheet.service.cleanup import Cleanup, check_layout_version
from modelsheet.service.executors.protocol import Executor, ReportHandler
from modelsheet.service.idle_watch import IdleWatch
from modelsheet.service.queue.admission import Admission
from modelsheet.service.queue.events import EventLog
from modelsheet.service.queue.hold import QueueHold
from modelsheet.service.queue.job_service import JobService
from modelsheet.service.queue.job_store import MAX_QUEUED, JobStore
from modelsheet.service.queue.learn_estimates import Estimates
from modelsheet.service.queue.publication import Publisher
from modelsheet.service.scheduling.dispatcher import Dispatcher
from modelsheet.service.scheduling.scheduler import Scheduler
from modelsheet.service.scheduling.timeouts import Timings
from modelsheet.service.storage.ballast_file import BallastFile
from modelsheet.service.storage.blobs import BlobStore
from modelsheet.service.subjects import SubjectService
from modelsheet.subjects.store import SubjectStore


class Service:
    """The service of one data folder. `token` is the operator's; `boot_id` identifies this start.

    `on_end` is called when the service should end: on the operator's command, after `idle_s`
    without clients and jobs (0 for never), or because it cannot go on. `shortcomings` returns what
    the workers' machines lack.
    """

    def __init__(
        self,
        data_dir: Path,
        make_executor: Callable[[ReportHandler], Executor],
        *,
        base_models: Callable[[], Sequence[BaseModelView]],
        shortcomings: Callable[[], list[str]] = list,
        timings: Timings | None = None,
        idle_s: float = 0.0,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        timings = timings or Timings()
        check_layout_version(data_dir)
        self.data_dir = data_dir
        self._base_models, self._shortcomings, self._on_end = base_models, shortcomings, on_end
        self.has_failed = False
        self.token = secrets.token_hex(32)
        self.tokens = TokenStore(data_dir / "tokens.json")
        self.access = Authenticator(self.token, self.tokens)
        self.boot_id = secrets.token_hex(8)
        self.events = EventLog(self.boot_id)
        self.blobs = BlobStore(data_dir / "blobs")
        self.job_store = JobStore(
            data_dir / "ledger.sqlite3", self.events.publish_job, timings.save_interval_s
        )
        table, subjects = self.job_store.table, SubjectStore(data_dir)
        self.estimates = Estimates(table, base_models)
        self._cleanup = Cleanup(data_dir, table, self.blobs, subjects)
        self.subjects = SubjectService(
            data_dir, subjects, self.blobs, table, self.events.publish_subjects
        )
        self.idle_watch = IdleWatch(idle_s, lambda: bool(table.ids(("queued", "running"))), on_end)
        self._idle_s = idle_s
        hold = QueueHold(data_dir / "queue-held", on_end)
        reserve = BallastFile(data_dir / "reserve")
        self.dispatcher = Dispatcher(
            self.job_store,
            Publisher(data_dir, self.job_store, subjects, self.events.publish_subjects),
            Scheduler(table, hold, timings, self.tokens.gpus_of),
            make_executor,
            timings,
            reserve,
            on_death=self.fail,
        )
        self._admission = Admission(self.blobs, subjects, base_models)
        self.jobs = JobService(
            self.job_store,
            self._admission,
            hold,
            reserve,
            self.dispatcher.wake,
            self.tokens.queued_of,
            self._on_learn,
        )

    def start(self) -> None:
        """Clean up the data folder, recover interrupted jobs and start the queued ones."""
        self._cleanup.run()
        self.dispatcher.start()
        self.idle_watch.start()

    def stop(self) -> None:
        """Answer waiting clients, let the running jobs save checkpoints, close the database."""
        self.idle_watch.stop()
        self.events.close()
        self.dispatcher.stop()
        self.job_store.close()

    def fail(self) -> None:
        """End the service because it cannot go on; another start may mend it."""
        self.has_failed = True
        self._on_end()

    def put_blob(self, sha256: str, content: BinaryIO, size: int) -> None:
        """Store an uploaded blob of `size` bytes. Raises Conflict: the bytes have another sha256.
        DiskFull: they would leave too little room for jobs.
        """
        self._cleanup.make_room_for(size)
        self.blobs.put_stream(sha256, content)

    def add_unlearnt(self, caller: Caller, request: LearnRequest) -> SubjectView:
        """Make a subject of a learn request's pictures, which paint it before it is learnt.

        Raises InvalidRequest: the base model takes no reference pictures. InvalidClassNoun; and the
        errors of Admission.check.
        """
        self._admission.check(request, caller)
        model = view_of_base_model(request.base_model, self._base_models())
        if not model.takes_references:
            raise InvalidRequest(model.references_note)
        own, family = own_class_nouns(self.data_dir), family_of_base_model(model.id, [model])
        noun = require_class_noun(request.class_noun, model.id, family, own)
        return self.subjects.add_unlearnt(caller, request, noun)

    def _on_learn(self, caller: Caller, request: LearnRequest) -> None:
        """Let the subject be painted while it is learnt, where its base model can do that."""
        model = view_of_base_model(request.base_model, self._base_models())
        if model.takes_references and not request.replaces:
            self.add_unlearnt(caller, request)

    def class_nouns(self, base_model: str) -> ClassNounList:
        """Return the class nouns of a base model, the data folder's own included.

        Raises NotFound: no such base model. InvalidClassNoun: the data folder's own are no text.
        """
        family = family_of_base_model(base_model, self._base_models())
        own = own_class_nouns(self.data_dir)
        nouns = known_class_nouns(family, own)
        return ClassNounList(class_nouns=nouns, everyday_nouns=everyday_nouns())

    def match_class_noun(self, base_model: str, noun: str) -> ClassNounMatch:
        """Return what a base model learns a noun as. Raises as `class_nouns` does."""
        family = family_of_base_model(base_model, self._base_models())
        return match_class_noun(noun, family, own_class_nouns(self.data_dir))

    def actions(self) -> ActionList:
        """Return the actions of the motion model."""
        return embedded_mannequins().actions()

    def vocabulary(self, base_model: str) -> Vocabulary:
        """Return the vocabulary of a base model. Raises NotFound: no such base model."""
        return vocabulary(family_of_base_model(base_model, self._base_models()))

    def capabilities(self) -> Capabilities:
        """Return the service's version, models and limits."""
        return Capabilities(
            api=API_VERSION,
            version=modelsheet.__version__,
            boot_id=self.boot_id,
            base_models=list(self._base_models()),
            presets=list(get_args(PresetName)),
            samplers=list(get_args(SamplerName)),
            shortcomings=self._shortcomings(),
            idle_minutes=self._idle_s / 60,
            limits={
                "max_blob_bytes": MAX_BODY_BYTES,
                "max_json_bytes": MAX_JSON_BYTES,
                "max_queued_jobs": MAX_QUEUED,
                "max_images": 64,
                "max_prompt_characters": 2000,
                "max_wait_s": 15,
            },
        )
