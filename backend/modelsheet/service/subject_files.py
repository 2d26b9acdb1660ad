"""Read and write subjects' files in a child process: archives, and LoRA files of other programs.

Arguments are JSON values. What is read goes into a staging folder, for the service to publish.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from PIL import Image

from modelsheet.api.learn import LearnRequest
from modelsheet.api.subjects import ImportRequest
from modelsheet.base_models.locate import locate_base_model
from modelsheet.lora.base_model_keys import key_layout_of
from modelsheet.prompts.captions import caption_from_layer_name
from modelsheet.service.storage.blobs import BlobStore
from modelsheet.subjects.archive import SubjectArchive, copy_id, reference_image, write_archive
from modelsheet.subjects.lora_exchange import ExportFormat, export_subject, stage_lora
from modelsheet.subjects.record import SubjectRecord, write_record
from modelsheet.subjects.store import SubjectStore
from modelsheet.subjects.unlearnt import stage_unlearnt


def stage_archive_of(
    data_dir: str, staging: str, parts: Sequence[str], owner: str, known: Sequence[str]
) -> None:
    """Stage the subject of an uploaded archive and store its images as blobs; of a subject whose
    id is `known`, only the record.

    Raises UnsafeModel, InvalidImages: it is damaged. NotFound, ModelMissing: its base model is.
    """
    blobs = BlobStore(Path(data_dir) / "blobs")
    archive = SubjectArchive(_joined(blobs, parts))
    record = archive.record
    if not {record.id, copy_id(record.id, owner)} & set(known):
        archive.check_adapter(key_layout_of(locate_base_model(record.base_model, Path(data_dir))))
        for pixels in archive.images():
            blobs.write(pixels)
        archive.write_adapter(Path(staging))
    write_record(Path(staging), record)


def stage_lora_of(data_dir: str, staging: str, request: dict[str, Any], owner: str) -> None:
    """Stage an uploaded LoRA file as a subject. Raises the errors of `stage_lora`."""
    wanted = ImportRequest.model_validate(request)
    content = _joined(BlobStore(Path(data_dir) / "blobs"), wanted.parts)
    stage_lora(Path(staging), content, wanted, owner, Path(data_dir))


def stage_unlearnt_of(data_dir: str, staging: str, request: dict[str, Any], noun: str) -> None:
    """Stage a subject of the uploaded pictures of a learn request, not learnt yet.

    Raises InvalidImages: one is empty.
    """
    wanted = LearnRequest.model_validate(request)
    blobs = BlobStore(Path(data_dir) / "blobs")
    captions = wanted.captions or [caption_from_layer_name(each.name) for each in wanted.images]
    record = SubjectRecord(
        id=str(uuid4()),
        name=wanted.name.strip(),
        class_noun=noun,
        identifier="",
        base_model=wanted.base_model,
        created=time.time(),
        references=wanted.images,
        captions=captions,
        preset=wanted.preset,
        seed=wanted.seed,
        training_steps=0,
        best_step=0,
        adapter_sha256="",
        curve=[],
        warnings=[],
    )
    pictures = [reference_image(blobs.read(each.blob), each) for each in wanted.images]
    stage_unlearnt(Path(staging), record, pictures)


def write_archive_of(data_dir: str, subject_id: str, target: str) -> None:
    """Write a subject's archive. Raises NotFound, UnsafeModel, InvalidRequest."""
    store, blobs = SubjectStore(Path(data_dir)), BlobStore(Path(data_dir) / "blobs")
    record = store.get(subject_id)
    adapter = store.adapter_path(subject_id).read_bytes()
    write_archive(Path(target), record, adapter, _references(record, blobs))


def write_lora_of(data_dir: str, subject_id: str, target: str, file_format: ExportFormat) -> None:
    """Write a subject's LoRA file. Raises the errors of `export_subject`."""
    store = SubjectStore(Path(data_dir))
    content = export_subject(store, subject_id, Path(data_dir), file_format)
    Path(target).write_bytes(content)


def _joined(blobs: BlobStore, parts: Sequence[str]) -> bytes:
    return b"".join(blobs.read(part) for part in parts)


def _references(record: SubjectRecord, blobs: BlobStore) -> Iterator[Image.Image]:
    for reference in record.references:
        yield reference_image(blobs.read(reference.blob), reference)
