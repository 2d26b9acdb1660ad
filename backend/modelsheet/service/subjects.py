"""List, rename, delete, import and export subjects on behalf of a caller, with an audit log."""

from __future__ import annotations

import io
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

from modelsheet.api.learn import LearnRequest
from modelsheet.api.subjects import ImportRequest, SubjectArchiveRequest, SubjectView
from modelsheet.errors import Conflict, InvalidRequest, NotFound
from modelsheet.operating_system import IS_WINDOWS
from modelsheet.service.auth.caller import Caller
from modelsheet.service.child_process import ChildProcesses, Limits
from modelsheet.service.queue.job import UNFINISHED_STATES
from modelsheet.service.queue.job_table import JobTable
from modelsheet.service.storage.blobs import BlobStore
from modelsheet.service.subject_files import (
    stage_archive_of,
    stage_lora_of,
    stage_unlearnt_of,
    write_archive_of,
    write_lora_of,
)
from modelsheet.subjects.archive import LARGEST_ARCHIVE, SUFFIX, copy_id
from modelsheet.subjects.handles import handle_of
from modelsheet.subjects.lora_exchange import ExportFormat, file_name_of
from modelsheet.subjects.record import SubjectRecord, identifier_warnings, read_record, write_record
from modelsheet.subjects.store import SubjectStore

LARGEST_LORA = 1 << 30  # bytes; an SDXL LoRA of rank 128 has 0.9 GiB
_LEAST_MEMORY = 2 << 30  # bytes for a child process, and 8 for each of its file's
_audit = logging.getLogger("modelsheet.audit")


class SubjectService:
    """Artists reach their own subjects, the operator all: another artist's subject raises NotFound,
    as if it did not exist. `on_change` is called after each change.
    """

    def __init__(
        self,
        data_dir: Path,
        store: SubjectStore,
        blobs: BlobStore,
        jobs: JobTable,
        on_change: Callable[[], None],
    ) -> None:
        self._data_dir = data_dir
        self._store = store
        self._blobs = blobs
        self._jobs = jobs
        self._on_change = on_change
        self._children = ChildProcesses()

    def all(self, caller: Caller) -> list[SubjectView]:
        """Return the caller's subjects, newest first; one that cannot be shown is left out."""
        return list(self._store.views(self._store.list(caller.scope)))

    def get(self, caller: Caller, subject_id: str) -> SubjectView:
        """Return a subject."""
        return self._own(caller, subject_id).view()

    def rename(self, caller: Caller, subject_id: str, name: str) -> SubjectView:
        """Rename a subject. Raises the errors of SubjectStore.rename."""
        self._own(caller, subject_id)
        return self._changed(caller, "rename", self._store.rename(subject_id, name))

    def trash(self, caller: Caller, subject_id: str) -> None:
        """Move a subject to the trash."""
        self._require_own(caller, subject_id, self._store.owner(subject_id))
        self._store.trash(subject_id)
        self._audit_change(caller, "delete", subject_id)

    def export_lora(
        self, caller: Caller, subject_id: str, file_format: ExportFormat
    ) -> tuple[str, IO[bytes]]:
        """Return the name and the opened content of a LoRA file. Raises the errors of
        export_subject.
        """
        record = self._own(caller, subject_id)
        return file_name_of(record), self._written(write_lora_of, record, file_format=file_format)

    def import_lora(self, caller: Caller, request: ImportRequest) -> SubjectView:
        """Make a subject of a LoRA file. Raises NotFound: a part was not uploaded; and the errors
        of stage_lora.
        """
        size = self._size_of(request.parts, LARGEST_LORA)
        with self._staging() as staging:
            asked = request.model_dump(mode="json")
            self._run(stage_lora_of, size, staging=str(staging), request=asked, owner=caller.name)
            self._store.require_free_handle(request.name, caller.name)
            record = self._publish(staging, read_record(staging), caller)
        return self._changed(caller, "import", record)

    def export_archive(self, caller: Caller, subject_id: str) -> tuple[str, IO[bytes]]:
        """Return the name and the opened content of a subject archive. Raises UnsafeModel: the
        subject's adapter is damaged. InvalidRequest: it is too large.
        """
        record = self._own(caller, subject_id)
        return f"{record.handle}{SUFFIX}", self._written(write_archive_of, record)

    def import_archive(self, caller: Caller, request: SubjectArchiveRequest) -> SubjectView:
        """Publish the subject of an archive under its own id, so that documents that name it find
        it; a subject that the caller already has stays as it is.

        Raises UnsafeModel, InvalidImages: the archive is damaged. NotFound: a part was not
        uploaded. NotFound, ModelMissing: its base model is missing. Conflict: it is being learnt.
        """
        size = self._size_of(request.parts, LARGEST_ARCHIVE)
        with self._staging() as staging:
            self._run(
                stage_archive_of,
                size,
                staging=str(staging),
                parts=request.parts,
                owner=caller.name,
                known=[record.id for record in self._store.list(caller.scope)],
            )
            record = read_record(staging)
            subject_id = self._free_id(record.id, caller)
            if not self._exists(subject_id):
                self._publish(staging, record.model_copy(update={"id": subject_id}), caller)
        return self._changed(caller, "bring in", self._store.get(subject_id))

    def add_unlearnt(self, caller: Caller, request: LearnRequest, noun: str) -> SubjectView:
        """Make a subject of a learn request's pictures, not learnt yet, in the place of one of that
        handle; one of these pictures stays as it is. The request is admissible.
        """
        for record in self._store.list(caller.scope):
            if not record.is_learnt and record.owner == caller.name and _is_of(record, request):
                return record.view()
        size = sum(self._blobs.size(image.blob) or 0 for image in request.images)
        with self._staging() as staging:
            asked = request.model_dump(mode="json")
            self._run(stage_unlearnt_of, size, staging=str(staging), request=asked, noun=noun)
            staged = read_record(staging)
            record = self._store.publish(staging, staged.id, caller.name, takes_over=True)
        return self._changed(caller, "try", record)

    def _publish(self, staging: Path, staged: SubjectRecord, caller: Caller) -> SubjectRecord:
        """Publish a staged subject as an imported one of the caller's."""
        record = staged.model_copy(update={"owner": caller.name, "is_imported": True})
        warnings = [*record.warnings, *identifier_warnings(record, self._store.list())]
        warnings = list(dict.fromkeys(warnings))
        write_record(staging, record.model_copy(update={"warnings": warnings}))
        return self._store.publish(staging, record.id, caller.name)

    def _written(
        self, write: Callable[..., None], record: SubjectRecord, **arguments: str
    ) -> IO[bytes]:
        """Return the opened file that a function writes in a child process."""
        adapter = self._store.adapter_path(record.id)
        with self._staging() as folder:
            target = folder / "export"
            size = adapter.stat().st_size
            self._run(write, size, subject_id=record.id, target=str(target), **arguments)
            if IS_WINDOWS:  # an open file cannot be removed there
                return io.BytesIO(target.read_bytes())
            return target.open("rb")

    def _run(self, function: Callable[..., None], size: int, **arguments: object) -> None:
        """Run a function in a child process with memory for a file of `size` bytes."""
        limits = Limits(_LEAST_MEMORY + 8 * size)
        self._children.run(function, limits, data_dir=str(self._data_dir), **arguments)

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        """Make a staging folder, and remove it unless it was published."""
        staging = self._store.stage(uuid4().hex)
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _own(self, caller: Caller, subject_id: str) -> SubjectRecord:
        record = self._store.get(subject_id)
        self._require_own(caller, subject_id, record.owner)
        return record

    def _require_own(self, caller: Caller, subject_id: str, owner: str) -> None:
        if not caller.sees(owner):
            raise NotFound(f"There is no subject {subject_id}; it may have been deleted.")

    def _size_of(self, parts: list[str], largest: int) -> int:
        """Return the bytes of an uploaded file. Raises NotFound: a part was not uploaded.
        InvalidRequest: they are more than `largest`.
        """
        sizes = [self._blobs.size(part) for part in parts]
        for part, size in zip(parts, sizes, strict=True):
            if size is None:
                raise NotFound(f"There is no blob {part} on the service; send it again.")
        total = sum(size or 0 for size in sizes)
        if total > largest:
            raise InvalidRequest(
                f"The file has {total >> 20} MiB; at most {largest >> 20} MiB are read. "
                "Choose a smaller one."
            )
        return total

    def _free_id(self, subject_id: str, caller: Caller) -> str:
        if subject_id in self._jobs.ids(UNFINISHED_STATES):
            raise Conflict("This subject is being learnt here. Wait until that is done.")
        if self._exists(subject_id) and not caller.sees(self._store.get(subject_id).owner):
            return copy_id(subject_id, caller.name)
        return subject_id

    def _exists(self, subject_id: str) -> bool:
        try:
            self._store.get(subject_id)
        except NotFound:
            return False
        return True

    def _changed(self, caller: Caller, action: str, record: SubjectRecord) -> SubjectView:
        self._audit_change(caller, action, record.id)
        return record.view()

    def _audit_change(self, caller: Caller, action: str, subject_id: str) -> None:
        _audit.info("%s: %s subject %s", caller.name or "operator", action, subject_id)
        self._on_change()


def _is_of(record: SubjectRecord, request: LearnRequest) -> bool:
    """Tell if an unlearnt subject is what a request would make."""
    blobs = [image.blob for image in request.images]
    same = record.base_model == request.base_model and record.blobs == blobs
    captions = request.captions is None or record.captions == request.captions
    return same and captions and record.handle == handle_of(request.name)
