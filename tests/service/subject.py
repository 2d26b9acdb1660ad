"""A subject as a runner leaves it in its staging folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

from modelsheet.api.learn import LikenessPoint
from modelsheet.subjects.record import SubjectRecord, write_record
from modelsheet.subjects.store import ADAPTER

WEIGHTS = b"weights"


def subject_record(subject_id: str, name: str = "Hero", created: float = 1.0) -> SubjectRecord:
    point = LikenessPoint(
        step=8,
        subject_fidelity=0.75,
        prompt_fidelity=0.5,
        prior_drift=0.0,
        score=0.6,
        likeness=0.75,
    )
    return SubjectRecord(
        id=subject_id,
        name=name,
        class_noun="knight",
        identifier="xyz",
        base_model="sprite32",
        created=created,
        references=[],
        captions=[],
        preset="quick",
        seed=0,
        training_steps=9,
        best_step=8,
        adapter_sha256=hashlib.sha256(WEIGHTS).hexdigest(),
        curve=[point],
        warnings=[],
    )


def stage_subject(
    staging: Path, subject_id: str, name: str = "Hero", created: float = 1.0
) -> SubjectRecord:
    record = subject_record(subject_id, name, created)
    (staging / ADAPTER).write_bytes(WEIGHTS)
    write_record(staging, record)
    return record
