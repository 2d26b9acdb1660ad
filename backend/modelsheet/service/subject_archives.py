"""Whole subjects on their way to another service, and from one, as files."""

from __future__ import annotations

from pathlib import Path

from modelsheet.base_models.catalogue import locate_base_model
from modelsheet.errors import Conflict, NotFound
from modelsheet.lora.base_model_keys import key_layout_of
from modelsheet.service.auth.caller import Caller
from modelsheet.service.queue.job_store import Ledger
from modelsheet.service.storage.blobs import BlobStore
from modelsheet.subjects.archive import SubjectArchive, copy_id, export_archive, reference_image
from modelsheet.subjects.store import SubjectRecord, SubjectStore


class Parcels:
    """Packs subjects and unpacks them."""

    def __init__(
        self, data_dir: Path, subjects: SubjectStore, blobs: BlobStore, ledger: Ledger
    ) -> None:
        self._data_dir = data_dir
        self._subjects = subjects
        self._blobs = blobs
        self._ledger = ledger

    def pack(self, subject_id: str) -> bytes:
        """Raises NotFound: no such subject. UnsafeModel: its adapter is damaged."""
        record = self._subjects.get(subject_id)
        adapter = self._subjects.adapter_path(subject_id).read_bytes()
        pictures = [reference_image(self._blobs.read(one.blob), one) for one in record.references]
        return export_archive(record, adapter, pictures)

    def unpack(self, content: bytes, caller: Caller) -> SubjectRecord:
        """Return the file's subject, which keeps its id, so that documents that name it find it;
        one that the caller has already stays as it is.

        Raises UnsafeModel, InvalidImages: what is wrong with the file. NotFound, ModelMissing: its
        base model is not here. Conflict: it is being learnt here.
        """
        parcel = SubjectArchive(content)
        subject_id = self._free_id(parcel.record.id, caller)
        if not self._has(subject_id):
            layout = key_layout_of(locate_base_model(parcel.record.base_model, self._data_dir))
            for pixels in parcel.images():
                self._blobs.write(pixels)
            parcel.publish(self._subjects, layout, subject_id, caller.name)
        return self._subjects.get(subject_id)

    def _free_id(self, subject_id: str, caller: Caller) -> str:
        if subject_id in self._ledger.unfinished_ids():
            raise Conflict("This subject is being learnt here. Wait until that is done.")
        if self._has(subject_id) and not caller.sees(self._subjects.get(subject_id).owner):
            return copy_id(subject_id, caller.name)
        return subject_id

    def _has(self, subject_id: str) -> bool:
        try:
            self._subjects.get(subject_id)
        except NotFound:
            return False
        return True
