"""List, rename, delete, import and export subjects on behalf of a caller, with an audit log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from modelsheet.api.subjects import ImportRequest, SubjectArchiveRequest, SubjectView
from modelsheet.base_models.locate import locate_base_model
from modelsheet.errors import Conflict, NotFound
from modelsheet.lora.base_model_keys import key_layout_of
from modelsheet.service.auth.caller import Caller
from modelsheet.service.queue.job import UNFINISHED_STATES
from modelsheet.service.queue.job_table import JobTable
from modelsheet.service.storage.blobs import BlobStore
from modelsheet.subjects.archive import (
    SUFFIX,
    SubjectArchive,
    copy_id,
    export_archive,
    reference_image,
)
from modelsheet.subjects.handles import handle_of
from modelsheet.subjects.lora_exchange import (
    ExportFormat,
    export_subject,
    file_name_of,
    import_subject,
)
from modelsheet.subjects.store import SubjectRecord, SubjectStore

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

    def all(self, caller: Caller) -> list[SubjectView]:
        """Return the caller's subjects, newest first."""
        return [self._store.view(record) for record in self._store.list(caller.scope)]

    def get(self, caller: Caller, subject_id: str) -> SubjectView:
        """Return a subject."""
        return self._store.view(self._own(caller, subject_id))

    def rename(self, caller: Caller, subject_id: str, name: str) -> SubjectView:
        """Rename a subject. Raises the errors of SubjectStore.rename."""
        self._own(caller, subject_id)
        return self._changed(caller, "rename", self._store.rename(subject_id, name))

    def trash(self, caller: Caller, subject_id: str) -> None:
        """Move a subject to the trash."""
        record = self._own(caller, subject_id)
        self._store.trash(subject_id)
        self._audit_change(caller, "delete", record)

    def export_lora(
        self, caller: Caller, subject_id: str, file_format: ExportFormat
    ) -> tuple[str, bytes]:
        """Return the name and the bytes of a LoRA file. Raises the errors of export_subject."""
        record = self._own(caller, subject_id)
        content = export_subject(self._store, subject_id, self._data_dir, file_format)
        return file_name_of(record), content

    def import_lora(self, caller: Caller, request: ImportRequest) -> SubjectView:
        """Make a subject of a LoRA file. Raises NotFound: a part was not uploaded; and the errors
        of import_subject.
        """
        content = self._uploaded(request.parts)
        record = import_subject(self._store, content, request, caller.name, self._data_dir)
        return self._changed(caller, "import", record)

    def export_archive(self, caller: Caller, subject_id: str) -> tuple[str, bytes]:
        """Return the name and the bytes of a subject archive. Raises UnsafeModel: the subject's
        adapter is damaged.
        """
        record = self._own(caller, subject_id)
        adapter = self._store.adapter_path(subject_id).read_bytes()
        pictures = [reference_image(self._blobs.read(one.blob), one) for one in record.references]
        return f"{handle_of(record.name)}{SUFFIX}", export_archive(record, adapter, pictures)

    def import_archive(self, caller: Caller, request: SubjectArchiveRequest) -> SubjectView:
        """Publish the subject of an archive under its own id, so that documents that name it find
        it; a subject that the caller already has stays as it is.

        Raises UnsafeModel, InvalidImages: the archive is damaged. NotFound: a part was not
        uploaded. NotFound, ModelMissing: its base model is missing. Conflict: it is being learnt.
        """
        archive = SubjectArchive(self._uploaded(request.parts))
        subject_id = self._free_id(archive.record.id, caller)
        if not self._exists(subject_id):
            layout = key_layout_of(locate_base_model(archive.record.base_model, self._data_dir))
            for pixels in archive.images():
                self._blobs.write(pixels)
            archive.publish(self._store, layout, subject_id, caller.name)
        return self._changed(caller, "bring in", self._store.get(subject_id))

    def _own(self, caller: Caller, subject_id: str) -> SubjectRecord:
        record = self._store.get(subject_id)
        if not caller.sees(record.owner):
            raise NotFound(f"There is no subject {subject_id}; it may have been deleted.")
        return record

    def _uploaded(self, parts: list[str]) -> bytes:
        return b"".join(self._blobs.read(part) for part in parts)

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
        self._audit_change(caller, action, record)
        return self._store.view(record)

    def _audit_change(self, caller: Caller, action: str, record: SubjectRecord) -> None:
        _audit.info("%s: %s subject %s", caller.name or "operator", action, record.id)
        self._on_change()
