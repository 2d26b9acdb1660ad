"""From what the artist typed to what the text encoder reads: @name becomes identifier and class
noun. No torch.
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
    """`text` for the text encoder, and the subjects it names, in order of mention."""

    text: str
    subjects: tuple[SubjectRecord, ...]

    @property
    def base_model(self) -> str | None:
        return self.subjects[0].base_model if self.subjects else None


def expand(prompt: str, subjects: Sequence[SubjectRecord]) -> ExpandedPrompt:
    """Replace each mention of a subject, @handle or its bare identifier, by "identifier class-
    noun".

    `subjects` are newest first: of two with one handle the newest is meant. Raises NotFound naming
    the nearest known subject, InvalidRequest when subjects of different base models meet.
    """
    named: dict[str, SubjectRecord] = {}

    def replace(mention: re.Match[str]) -> str:
        subject = _named(mention[1], subjects)
        named[subject.id] = subject
        return phrase_of(subject)

    text = _MENTION.sub(replace, prompt)
    text = _expand_identifiers(text, subjects, named)
    expanded = ExpandedPrompt(text, tuple(named.values()))
    _require_one_base(expanded)
    return expanded


def phrase_of(subject: SubjectRecord) -> str:
    """How the subject was called while it was learnt."""
    return f"{subject.identifier} {subject.class_noun}"


def _named(mention: str, subjects: Sequence[SubjectRecord]) -> SubjectRecord:
    found = find_mentioned(mention, subjects)
    if found is not None:
        return found
    handles = [subject.handle for subject in subjects]
    if not handles:
        raise NotFound(f"@{mention} is not known: no subject has been learnt yet. Learn one first.")
    near = difflib.get_close_matches(handle_of(mention), handles, n=1, cutoff=0.0)
    raise NotFound(f"@{mention} is not known. Did you mean @{near[0]}?")


def _expand_identifiers(
    text: str, subjects: Sequence[SubjectRecord], named: dict[str, SubjectRecord]
) -> str:
    """A bare identifier names its subject too; the class noun is added where it does not follow."""
    for subject in subjects:
        pattern = rf"\b{re.escape(subject.identifier)}\b(?:\s+{re.escape(subject.class_noun)}\b)?"
        text, count = re.subn(pattern, phrase_of(subject), text)
        if count:
            named.setdefault(subject.id, subject)
    return text


def _require_one_base(expanded: ExpandedPrompt) -> None:
    bases = sorted({subject.base_model for subject in expanded.subjects})
    if len(bases) > 1:
        raise InvalidRequest(
            f"This prompt's subjects were learnt on different base models ({', '.join(bases)}). "
            "Name subjects of one base model only."
        )
