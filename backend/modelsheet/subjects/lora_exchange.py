"""Export subjects as LoRA files of other programs, and import such files as subjects."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from uuid import uuid4

from modelsheet.api.subjects import ImportRequest
from modelsheet.api.types import Family
from modelsheet.base_models.families import FAMILIES, is_pixel_art
from modelsheet.base_models.locate import BaseModelFiles, locate_base_model
from modelsheet.base_models.vocabularies import token_of
from modelsheet.errors import InvalidClassNoun, InvalidIdentifier
from modelsheet.files.safetensors_file import Array, parse_header
from modelsheet.lora.base_model_keys import key_layout_of
from modelsheet.lora.diffusers_writer import write_diffusers
from modelsheet.lora.embedding_writer import write_embedding
from modelsheet.lora.key_mapping import DENOISERS, KeyLayout, layout_of_adapter
from modelsheet.lora.kohya_writer import LoraMetadata, write_kohya
from modelsheet.lora.reader import EMBEDDING, LoraFile, read_lora
from modelsheet.subjects.handles import require_handle
from modelsheet.subjects.record import IMPORTED, SubjectRecord, write_record
from modelsheet.subjects.store import ADAPTER, SubjectStore

ExportFormat = Literal["kohya", "diffusers", "embedding"]


def export_subject(
    store: SubjectStore, subject_id: str, data_dir: Path, file_format: ExportFormat
) -> bytes:
    """Return the bytes of a subject's LoRA file in this format.

    Raises NotFound, ModelMissing: no such subject, or its base model is unknown here. UnsafeModel:
    its adapter is damaged or empty.
    """
    record = store.get(subject_id)
    content = store.adapter_path(subject_id).read_bytes()
    if file_format == "diffusers":
        return _diffusers_file(record, content)
    files = locate_base_model(record.base_model, data_dir)
    layout = key_layout_of(files)
    learnt = read_lora(content, layout, ADAPTER)
    if file_format == "embedding":
        return write_embedding(learnt.embeddings, files.family, record.name)
    return _kohya_file(record, learnt, files.family, layout)


def export_sha256(record: SubjectRecord, adapter: bytes, data_dir: Path) -> str:
    """Return the hash of the weights in the subject's kohya file, by which A1111 and Civitai know
    it.

    It is "" for a model's that they cannot load. Raises ModelsheetError: as export_subject.
    """
    files = locate_base_model(record.base_model, data_dir)
    if is_pixel_art(files.family):
        return ""
    layout = key_layout_of(files)
    content = _kohya_file(record, read_lora(adapter, layout, ADAPTER), files.family, layout)
    return parse_header(content, ADAPTER).metadata["sshs_model_hash"]


def _kohya_file(
    record: SubjectRecord, learnt: LoraFile, family: Family, layout: KeyLayout
) -> bytes:
    metadata = LoraMetadata(
        title=record.name,
        output_name=Path(file_name_of(record)).stem,
        identifier=record.identifier,
        class_noun=record.class_noun,
        base_model=record.base_model,
        resolution=FAMILIES[family].resolution,
        training_steps=record.best_step,
        image_count=len(record.references),
        seed=record.seed,
        created=record.created,
        has_embedding=bool(learnt.embeddings),
        has_decoder=bool(learnt.decoder),
    )
    return write_kohya(learnt.factors, layout, metadata)


def _diffusers_file(record: SubjectRecord, adapter: bytes) -> bytes:
    """Write an adapter again with the names that all versions of diffusers load.

    The adapter as it was learnt has those of today's transformers, and settings of today's peft.
    """
    layout = layout_of_adapter(parse_header(adapter, ADAPTER))
    learnt = read_lora(adapter, layout, ADAPTER)
    trigger = f"{record.identifier} {record.class_noun}".strip()
    metadata = {"modelspec.title": record.name, "modelspec.trigger_phrase": trigger}
    return write_diffusers(
        learnt.factors, layout, {**learnt.embeddings, **learnt.decoder}, metadata
    )


def file_name_of(record: SubjectRecord) -> str:
    """Return a file name for an export, made of the subject's handle and identifier."""
    words = re.sub(r"[^a-z0-9]+", "-", f"{record.handle}-{record.identifier}".casefold())
    return f"{words.strip('-') or 'subject'}.safetensors"


def stage_lora(
    staging: Path, content: bytes, request: ImportRequest, owner: str, data_dir: Path
) -> None:
    """Write a LoRA file as a subject into a staging folder.

    Raises InvalidRequest, InvalidClassNoun, InvalidIdentifier, Conflict: name, class noun or
    identifier cannot be used, or the name is taken. NotFound, ModelMissing: no such base model.
    UnsafeModel: the file is refused.
    """
    _check_names(request)
    files = locate_base_model(request.base_model, data_dir)
    layout = key_layout_of(files)
    lora = read_lora(content, layout, request.file_name or "the file")
    embeddings = _embeddings(lora, _identifier(request, lora.metadata), files, data_dir)
    adapter = write_diffusers(lora.factors, layout, {**embeddings, **lora.decoder})
    (staging / ADAPTER).write_bytes(adapter)
    record = _record(request, owner, lora, adapter)
    exported = export_sha256(record, adapter, data_dir)
    write_record(staging, record.model_copy(update={"export_sha256": exported}))


def _embeddings(
    lora: LoraFile, identifier: str, files: BaseModelFiles, data_dir: Path
) -> Mapping[str, Array]:
    """Return the identifier's embeddings by their keys in adapter.safetensors.

    Raises InvalidIdentifier: there is one for it, and it is no single token.
    """
    if lora.embeddings or not lora.bundled:
        return lora.embeddings
    token = token_of(identifier, files, data_dir)
    if token is None:
        raise InvalidIdentifier(
            f"{identifier!r} is several tokens to this base model, and an embedding stands for "
            "one. Give another identifier, a short word."
        )
    return {f"{EMBEDDING}{which}.{token}": row for which, row in enumerate(lora.bundled)}


def _check_names(request: ImportRequest) -> None:
    require_handle(request.name)
    if not request.class_noun.strip():
        raise InvalidClassNoun("Say in a word or two what it shows, for example: human woman.")


def _record(request: ImportRequest, owner: str, lora: LoraFile, adapter: bytes) -> SubjectRecord:
    steps = _count(lora.metadata.get("ss_steps", ""))
    warnings = list(lora.warnings)
    if not any(layer_key.component in DENOISERS for layer_key in lora.factors):
        warnings.append("The file changes the text encoder alone, not the UNet.")
    return SubjectRecord(
        id=str(uuid4()),
        name=request.name.strip(),
        class_noun=" ".join(request.class_noun.split()),
        identifier=_identifier(request, lora.metadata),
        base_model=request.base_model,
        created=time.time(),
        references=[],
        captions=[],
        preset=IMPORTED,
        is_imported=True,
        seed=_count(lora.metadata.get("ss_seed", "")),
        training_steps=steps,
        best_step=steps,
        adapter_sha256=hashlib.sha256(adapter).hexdigest(),
        curve=[],
        warnings=warnings,
        owner=owner,
    )


def _identifier(request: ImportRequest, metadata: Mapping[str, str]) -> str:
    """Return the requested identifier, else the file's trigger phrase without the class noun."""
    typed = " ".join(request.identifier.split())
    if typed:
        return typed
    trigger = " ".join(metadata.get("modelspec.trigger_phrase", "").split())
    trigger = trigger.removesuffix(request.class_noun.strip()).strip(" ,")
    if trigger and len(trigger) <= 32 and trigger.isprintable():
        return trigger
    raise InvalidIdentifier(
        "The file does not say by which word its subject is called. Give the word that it was "
        "trained with as the identifier."
    )


def _count(text: str) -> int:
    """Read a count from metadata, 0 where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
