"""Expand the mentions of a prompt: @name becomes the subject's identifier and class noun. No
torch.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from modelsheet.errors import InvalidRequest, NotFound
from modelsheet.subjects.store import SubjectRecord, find_mentioned, handle_of

_MENTION = re.compile(r"(?<!\w)@(\w+)")


@dataclass(frozen=True)
class ExpandedPrompt:
    """Text for the text encoder, and the subjects that the prompt mentions, in order."""

    text: str
    subjects: tuple[SubjectRecord, ...]

    @property
    def base_model(self) -> str | None:
        return self.subjects[0].base_model if self.subjects else None


def expand_prompt(prompt: str, subjects: Sequence[SubjectRecord]) -> ExpandedPrompt:
    """Replace each mention of a subject, @handle or its bare identifier, by "identifier class-
    noun".

    `subjects` are newest first: of two with one handle the newest is mentioned. Raises NotFound,
    which suggests the nearest handle, and InvalidRequest for subjects of different base models.
    """
    by_id: dict[str, SubjectRecord] = {}

    def replace(match: re.Match[str]) -> str:
        subject = _find(match[1], subjects)
        by_id[subject.id] = subject
        return subject_phrase(subject)

    text = _MENTION.sub(replace, prompt)
    text = _expand_identifiers(text, subjects, by_id)
    expanded = ExpandedPrompt(text, tuple(by_id.values()))
    _check_one_base(expanded)
    return expanded


def subject_phrase(subject: SubjectRecord) -> str:
    """Return the subject's name in its training prompts: "identifier class-noun"."""
    return f"{subject.identifier} {subject.class_noun}"


def _find(mention: str, subjects: Sequence[SubjectRecord]) -> SubjectRecord:
    found = find_mentioned(mention, subjects)
    if found is not None:
        return found
    handles = [subject.handle for subject in subjects]
    if not handles:
        raise NotFound(f"@{mention} is not known: no subject has been learnt yet. Learn one first.")
    near = difflib.get_close_matches(handle_of(mention), handles, n=1, cutoff=0.0)
    raise NotFound(f"@{mention} is not known. Did you mean @{near[0]}?")


def _expand_identifiers(
    text: str, subjects: Sequence[SubjectRecord], by_id: dict[str, SubjectRecord]
) -> str:
    """Expand bare identifiers too: add the class noun where it does not follow."""
    for subject in subjects:
        pattern = rf"\b{re.escape(subject.identifier)}\b(?:\s+{re.escape(subject.class_noun)}\b)?"
        text, count = re.subn(pattern, subject_phrase(subject), text)
        if count:
            by_id.setdefault(subject.id, subject)
    return text


def _check_one_base(expanded: ExpandedPrompt) -> None:
    bases = sorted({subject.base_model for subject in expanded.subjects})
    if len(bases) > 1:
        raise InvalidRequest(
            f"This prompt's subjects were learnt on different base models ({', '.join(bases)}). "
            "Name subjects of one base model only."
        )
