"""Publish a LoRA file as a subject, as the service does, without its child process."""

from __future__ import annotations

import shutil
from pathlib import Path

from modelsheet.api.subjects import ImportRequest
from modelsheet.subjects.lora_exchange import stage_lora
from modelsheet.subjects.record import SubjectRecord, read_record
from modelsheet.subjects.store import SubjectStore


def import_lora(
    store: SubjectStore, content: bytes, request: ImportRequest, owner: str, data_dir: Path
) -> SubjectRecord:
    staging = store.stage("imported")
    try:
        stage_lora(staging, content, request, owner, data_dir)
        return store.publish(staging, read_record(staging).id, owner)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
