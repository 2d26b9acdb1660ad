"""The service without HTTP: what the routes call. It owns the ledger, the stores, the events and
the dispatcher.
"""

from __future__ import annotations

import logging
import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import modelsheet
from modelsheet.api.admin import StatsView, WorkloadView
from modelsheet.api.describe import ClassNounList
from modelsheet.api.generate import SamplerName
from modelsheet.api.jobs import QueueState, QueueView
from modelsheet.api.learn import PresetName
from modelsheet.api.models import BaseModelView, Capabilities
from modelsheet.api.subjects import ImportRequest, SubjectArchiveRequest, SubjectView
from modelsheet.api.types import API_VERSION
from modelsheet.base_models.catalogue import family_of_base_model
from modelsheet.errors import NotFound
from modelsheet.prompts.class_nouns import known_class_nouns, own_class_nouns
from modelsheet.service.auth.caller import OPERATOR, Caller
from modelsheet.service.auth.tokens import TokenStore
from modelsheet.service.cleanup import Housekeeping, refuse_newer
from modelsheet.service.executors.protocol import Executor, Sink
from modelsheet.service.http.access import MAX_BODY_BYTES, Access
from modelsheet.service.http.operations import MAX_JSON_BYTES
from modelsheet.service.queue.admission import Admission
from modelsheet.service.queue.caller_jobs import Desk
from modelsheet.service.queue.estimates import Estimates
from modelsheet.service.queue.events import EventLog
from modelsheet.service.queue.hold import Gate
from modelsheet.service.queue.job_commands import MAX_QUEUED
from modelsheet.service.queue.job_store import Ledger
from modelsheet.service.queue.publication import Publisher
from modelsheet.service.queue.stats import stats_of
from modelsheet.service.scheduling.dispatcher import Dispatcher, Timings
from modelsheet.service.storage.blobs import BlobStore
from modelsheet.service.storage.disk_reserve import Reserve
from modelsheet.service.subject_archives import Parcels
from modelsheet.subjects.archive import SUFFIX
from modelsheet.subjects.lora_exchange import (
    ExportFormat,
    ImportWish,
    export_subject,
    file_name_of,
    import_subject,
)
from modelsheet.subjects.store import SubjectStore, handle_of

_audit = logging.getLogger("modelsheet.audit")


class Service:
    """One data folder in service. `token` lets in, `boot_id` tells one run from the next; `on_end`
    is called when the service should end: it was asked to, or it cannot go on. `shortcomings` says
    what the machines that carry out jobs lack.
    """

    def __init__(
        self,
        data_dir: Path,
        make_executor: Callable[[Sink], Executor],
        *,
        base_models: Callable[[], Sequence[BaseModelView]],
        shortcomings: Callable[[], list[str]] = list,
        max_waiters: int = 6,
        timings: Timings | None = None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        timings = timings or Timings()
        refuse_newer(data_dir)
        self.token = secrets.token_hex(32)
        self.artists = TokenStore(data_dir / "tokens.json")
        self.access = Access(self.token, self.artists)
        self.boot_id = secrets.token_hex(8)
        self.events = EventLog(self.boot_id, max_waiters)
        self.blobs = BlobStore(data_dir / "blobs")
        self.data_dir = data_dir
        self._subjects = SubjectStore(data_dir)
        self._base_models, self._shortcomings = base_models, shortcomings
        self._ledger = Ledger(
            data_dir / "ledger.sqlite3", self.events.publish_job, timings.save_interval_s
        )
        self._parcels = Parcels(data_dir, self._subjects, self.blobs, self._ledger)
        self.estimates = Estimates(self._ledger, base_models)
        self._admission = Admission(self.blobs, self._subjects, base_models)
        self._on_end = on_end
        self.has_failed = False
        self._gate = Gate(data_dir / "queue-held", on_end)
        self._housekeeping = Housekeeping(data_dir, self._ledger, self.blobs, self._subjects)
        self._dispatcher = Dispatcher(
            self._ledger,
            Publisher(data_dir, self._ledger, self._subjects),
            make_executor,
            timings=timings,
            gate=self._gate,
            reserve=Reserve(data_dir / "reserve"),
            on_published=self.events.publish_subjects,
            on_death=self.fail,
            gpus_of=self.artists.gpus_of,
        )

    def start(self) -> None:
        """Take up the jobs that wait, those cut off by the last end of the service included."""
        self._housekeeping.tidy()
        self._dispatcher.start()

    def stop(self) -> None:
        """Answer everybody who waits, let the running job save its state, and close the ledger."""
        self.events.close()
        self._dispatcher.stop()
        self._ledger.close()

    def fail(self) -> None:
        """End the service because it cannot go on; another start may mend it."""
        self.has_failed = True
        self._on_end()

    def desk(self, caller: Caller) -> Desk:
        """Return the jobs as the caller sees them."""
        return Desk(
            caller,
            self._ledger,
            self._admission,
            self._gate,
            self._dispatcher.wake,
            self.artists.queued_of,
        )

    def set_queue(self, state: QueueState) -> QueueView:
        """Start jobs, start none, or end the service after the running one."""
        self._gate.set(state)
        _audit.info("operator: the queue is %s", state)
        self._dispatcher.wake()
        return self.desk(OPERATOR).queue()

    def studio(self) -> WorkloadView:
        """Return who works at what and who waits for what."""
        return self._dispatcher.studio()

    def subjects(self, caller: Caller = OPERATOR) -> list[SubjectView]:
        return [self._subjects.view(record) for record in self._subjects.list(caller.scope)]

    def subject(self, subject_id: str, caller: Caller = OPERATOR) -> SubjectView:
        """Raises NotFound, also for a subject of somebody else."""
        record = self._subjects.get(subject_id)
        if not caller.sees(record.owner):
            raise NotFound(f"There is no subject {subject_id}; it may have been deleted.")
        return self._subjects.view(record)

    def export_subject(
        self, subject_id: str, file_format: ExportFormat, caller: Caller = OPERATOR
    ) -> tuple[str, bytes]:
        """Return a file's name and its bytes. Raises what exchange.export_subject raises."""
        self.subject(subject_id, caller)
        content = export_subject(self._subjects, subject_id, self.data_dir, file_format)
        return file_name_of(self._subjects.get(subject_id)), content

    def import_subject(self, request: ImportRequest, caller: Caller = OPERATOR) -> SubjectView:
        """Raises NotFound: a part was not sent; and what exchange.import_subject raises."""
        content = b"".join(self.blobs.read(part) for part in request.parts)
        wish = ImportWish(
            name=request.name,
            class_noun=request.class_noun,
            identifier=request.identifier,
            base_model=request.base_model,
            file_name=request.file_name,
            owner=caller.name,
        )
        record = import_subject(self._subjects, content, wish, self.data_dir)
        _audit.info("%s: import subject %s", caller.name or "operator", record.id)
        self.events.publish_subjects()
        return self._subjects.view(record)

    def pack_subject(self, subject_id: str, caller: Caller = OPERATOR) -> tuple[str, bytes]:
        """Return a file's name and its bytes. Raises what Parcels.pack raises."""
        handle = handle_of(self.subject(subject_id, caller).name)
        return f"{handle}{SUFFIX}", self._parcels.pack(subject_id)

    def unpack_subject(
        self, request: SubjectArchiveRequest, caller: Caller = OPERATOR
    ) -> SubjectView:
        """Raises NotFound: a part was not sent; and what Parcels.unpack raises."""
        content = b"".join(self.blobs.read(part) for part in request.parts)
        record = self._parcels.unpack(content, caller)
        _audit.info("%s: bring in subject %s", caller.name or "operator", record.id)
        self.events.publish_subjects()
        return self._subjects.view(record)

    def rename_subject(self, subject_id: str, name: str, caller: Caller = OPERATOR) -> SubjectView:
        """Raises what SubjectStore.rename raises; NotFound, also for somebody else's."""
        self.subject(subject_id, caller)
        record = self._subjects.rename(subject_id, name)
        _audit.info("%s: rename subject %s", caller.name or "operator", subject_id)
        self.events.publish_subjects()
        return self._subjects.view(record)

    def trash_subject(self, subject_id: str, caller: Caller = OPERATOR) -> None:
        """Raises NotFound, also for a subject of somebody else."""
        self.subject(subject_id, caller)
        self._subjects.trash(subject_id)
        _audit.info("%s: delete subject %s", caller.name or "operator", subject_id)
        self.events.publish_subjects()

    def put_blob(self, sha256: str, content: bytes) -> None:
        """Raises Conflict: the bytes are not those. DiskFull: they would leave no room to work."""
        self._housekeeping.make_room_for(len(content))
        self.blobs.put(sha256, content)

    def stats(self) -> StatsView:
        return stats_of(self._ledger.lives(), shutil.disk_usage(self.data_dir).free)

    def class_nouns(self, base_model: str) -> ClassNounList:
        """Raises NotFound: no such base model. InvalidClassNoun: the artist's own are no text."""
        family = family_of_base_model(base_model, self._base_models())
        own = own_class_nouns(self.data_dir)
        return ClassNounList(class_nouns=known_class_nouns(family, own))

    def capabilities(self) -> Capabilities:
        return Capabilities(
            api=API_VERSION,
            version=modelsheet.__version__,
            boot_id=self.boot_id,
            base_models=list(self._base_models()),
            presets=list(get_args(PresetName)),
            samplers=list(get_args(SamplerName)),
            shortcomings=self._shortcomings(),
            limits={
                "max_blob_bytes": MAX_BODY_BYTES,
                "max_json_bytes": MAX_JSON_BYTES,
                "max_queued_jobs": MAX_QUEUED,
                "max_images": 64,
                "max_prompt_characters": 2000,
                "max_wait_s": 15,
            },
        )
