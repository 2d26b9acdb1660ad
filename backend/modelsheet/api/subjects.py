"""Learnt subjects: views, renaming, import of LoRA files and of subject archives."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from modelsheet.api.learn import LearnReport
from modelsheet.api.types import (
    ApiModel,
    ClassNoun,
    Count,
    HexColour,
    Identifier,
    ImageRef,
    ModelId,
    Note,
    Sha256,
    SubjectName,
    UnixSeconds,
    one_line,
)

# What a subject is stored with and shown with has the same limits: what is stored can be shown.
SubjectId = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(one_line)]
OwnerName = Annotated[str, Field(max_length=40), AfterValidator(one_line)]
References = Annotated[list[ImageRef], Field(max_length=64)]
Palette = Annotated[list[HexColour], Field(max_length=256)]
# A caption is a layer's name in small letters, of which there may be more.
Words = Annotated[str, Field(max_length=1000), AfterValidator(one_line)]
Captions = Annotated[list[Words], Field(max_length=64)]
Notes = Annotated[list[Note], Field(max_length=1000)]


class SubjectView(ApiModel):
    """A subject. Its `references` are the images it was learnt from, with `captions`, its `palette`
    their colours where they are pixel art. One that is not learnt yet is painted by its references
    alone, by base models that take such.
    """

    id: SubjectId
    name: SubjectName
    class_noun: ClassNoun
    identifier: Identifier
    base_model: ModelId
    created: UnixSeconds
    owner: OwnerName = ""
    references: References
    captions: Captions = []
    is_learnt: bool = True
    training_steps: Count
    likeness: float | None = None
    palette: Palette = []
    warnings: Notes = []
    report: LearnReport | None = None


class RenameRequest(ApiModel):
    """Rename a subject; its id, and the images generated of it, stay."""

    name: SubjectName


class ImportRequest(ApiModel):
    """Import another program's LoRA file as a subject; its bytes are the blobs `parts`, in order.

    An empty identifier is the file's own trigger word.
    """

    name: SubjectName
    class_noun: ClassNoun
    identifier: Identifier = ""
    base_model: ModelId = "sprite32"
    parts: Annotated[list[Sha256], Field(min_length=1, max_length=64)]
    file_name: Annotated[str, Field(max_length=300), AfterValidator(one_line)] = ""


class SubjectArchiveRequest(ApiModel):
    """Import a subject archive of another Modelsheet; its bytes are the blobs `parts`, in order."""

    parts: Annotated[list[Sha256], Field(min_length=1, max_length=64)]


class SubjectList(ApiModel):
    subjects: list[SubjectView]
