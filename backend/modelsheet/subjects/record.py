"""Record of a subject: the content of its subject.json, and what mentions find by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from modelsheet.api.learn import LearnReport, LikenessPoint
from modelsheet.api.subjects import (
    Captions,
    Notes,
    OwnerName,
    Palette,
    References,
    SubjectId,
    SubjectView,
    Words,
)
from modelsheet.api.types import (
    ApiModel,
    ClassNoun,
    Count,
    Identifier,
    ModelId,
    Sha256,
    SubjectName,
    UnixSeconds,
)
from modelsheet.subjects.handles import handle_of

RECORD = "subject.json"
IMPORTED = "imported"  # a LoRA file's preset


class SubjectRecord(ApiModel):
    """Record of a subject, the content of subject.json. Its fields are as SubjectView's.

    `created` is in Unix seconds, `best_step` is the step whose adapter was kept, `formerly` are the
    handles that it had before it was renamed, `palette` the colours of pixel-art references, empty
    where they are none and in records of version 0.1, `export_sha256` the hash of the weights in
    the file for A1111, empty where it has none, as sprite32. An imported subject's identifier is
    another's choice, and counts in prompts only through @name. One that is not learnt yet has
    neither adapter nor identifier.
    """

    schema_version: Count = 1
    id: SubjectId
    name: SubjectName
    class_noun: ClassNoun
    identifier: Identifier
    base_model: ModelId
    created: UnixSeconds
    references: References
    captions: Captions
    preset: Words
    seed: Count
    training_steps: Count
    best_step: Count
    adapter_sha256: Sha256 | Literal[""]
    curve: Annotated[list[LikenessPoint], Field(max_length=20_000)]
    warnings: Notes
    owner: OwnerName = ""
    report: LearnReport | None = None
    formerly: Annotated[list[Words], Field(max_length=1000)] = []
    is_imported: bool = False
    export_sha256: Sha256 | Literal[""] = ""
    palette: Palette = []

    @property
    def handle(self) -> str:
        """Return the subject's name after the @ in a prompt."""
        return handle_of(self.name)

    @property
    def blobs(self) -> list[str]:
        """Return the hashes of its pictures."""
        return [reference.blob for reference in self.references]

    @property
    def is_learnt(self) -> bool:
        return bool(self.adapter_sha256)

    def view(self) -> SubjectView:
        """Return the API's view; likeness is that of the step whose adapter was kept.

        None for subjects of version 0.1, which measured it otherwise. Raises ValidationError.
        """
        best = [point for point in self.curve if point.step == self.best_step]
        likeness = best[-1].likeness if best else None
        shared = self.model_dump(include=set(SubjectView.model_fields))
        return SubjectView(**shared, is_learnt=self.is_learnt, likeness=likeness)


def find_mentioned(mention: str, subjects: Sequence[SubjectRecord]) -> SubjectRecord | None:
    """Return the first subject of that handle, else of that identifier, else a former handle's.

    Former handles count since saved prompts and generation parameters outlive a renaming.
    """
    handle = handle_of(mention)
    by_handle = (one for one in subjects if handle == one.handle)
    by_identifier = (one for one in subjects if mention == one.identifier)
    formerly = (one for one in subjects if handle in one.formerly)
    return next(chain(by_handle, by_identifier, formerly), None)


def identifier_warnings(record: SubjectRecord, others: Iterable[SubjectRecord]) -> list[str]:
    """Return a warning if another subject of the owner has the identifier of an imported one."""
    for other in others:
        if (other.owner, other.identifier) == (record.owner, record.identifier):
            return [
                f"@{other.handle} is called “{record.identifier}” too. Write @{record.handle} to "
                "paint this one, and do not name both in one prompt."
            ]
    return []


def read_record(staging: Path) -> SubjectRecord:
    """Read the record of a staging folder. Raises OSError, ValidationError."""
    return SubjectRecord.model_validate_json((staging / RECORD).read_bytes())


def write_record(staging: Path, record: SubjectRecord) -> None:
    """Write the record into the staging folder, for the service to publish."""
    (staging / RECORD).write_text(record.model_dump_json(indent=1), encoding="utf-8")
