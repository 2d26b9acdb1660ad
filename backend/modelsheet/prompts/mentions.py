"""Expand the mentions of a prompt: @name becomes the subject's identifier and class noun. No
torch.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from modelsheet.errors import InvalidRequest, NotFound
from modelsheet.subjects.handles import Mention, find_mentions
from modelsheet.subjects.record import SubjectRecord, find_mentioned


@dataclass(frozen=True)
class ExpandedPrompt:
    """Text for the text encoder, and the subjects that the prompt mentions, in order."""

    text: str
    subjects: tuple[SubjectRecord, ...]

    @property
    def base_model(self) -> str | None:
        return self.subjects[0].base_model if self.subjects else None


def expand_prompt(
    prompt: str, subjects: Sequence[SubjectRecord], owner: str = ""
) -> ExpandedPrompt:
    """Replace each mention of a subject, @handle or its bare identifier, by "identifier class-
    noun".

    `subjects` are newest first. A handle means `owner`'s own subject of that handle before another
    artist's, which `@artist/handle` means. A bare identifier is a mention only of `owner`'s own
    subjects that were learnt here: that of an imported one may be any word.

    Raises NotFound, which suggests the nearest handle. InvalidRequest: two artists have a subject
    of that handle and `owner` has none; subjects of different base models.
    """
    own = [subject for subject in subjects if subject.owner == owner]
    by_identifier = {one.identifier: one for one in reversed(own) if not one.is_imported}
    by_id: dict[str, SubjectRecord] = {}
    parts: list[str] = []
    end = 0
    for written in find_mentions(prompt):
        mention, subject = _resolve(written, subjects, owner)
        by_id.setdefault(subject.id, subject)
        parts += [prompt[end : mention.start], subject_phrase(subject)]
        end = mention.end
    typed = [*parts[::2], prompt[end:]]
    expanded = [_expand_identifiers(text, by_identifier, by_id) for text in typed]
    phrases = [*parts[1::2], ""]
    text = "".join(part for pair in zip(expanded, phrases, strict=True) for part in pair)
    result = ExpandedPrompt(text, tuple(by_id.values()))
    _check_one_base(result)
    return result


def subject_phrase(subject: SubjectRecord) -> str:
    """Return the subject's name in its training prompts: "identifier class-noun"."""
    return f"{subject.identifier} {subject.class_noun}"


def _resolve(
    mention: Mention, subjects: Sequence[SubjectRecord], owner: str
) -> tuple[Mention, SubjectRecord]:
    """Return the subject that is mentioned, and the mention, shorter if no owner has that name."""
    if mention.owner and all(subject.owner != mention.owner for subject in subjects):
        [first] = find_mentions(f"@{mention.owner}")  # as in "@hero/night"
        mention = replace(first, start=mention.start, end=mention.start + first.end)
    named = mention.owner or owner
    found = find_mentioned(mention.word, [one for one in subjects if one.owner == named])
    if found is None and not mention.owner:
        found = _others(mention, [one for one in subjects if one.owner != owner])
    if found is None:
        raise NotFound(_unknown(mention, subjects))
    return mention, found


def _others(mention: Mention, subjects: Sequence[SubjectRecord]) -> SubjectRecord | None:
    """Return the only artist's subject of that handle. Raises InvalidRequest: several have one."""
    owners = sorted({subject.owner for subject in subjects})
    found = {
        name: subject
        for name in owners
        if (subject := find_mentioned(mention.word, [s for s in subjects if s.owner == name]))
    }
    if len(found) > 1:
        choices = " or ".join(f"@{name}/{mention.word}" for name in found)
        raise InvalidRequest(f"Several artists have a subject {mention}. Write {choices}.")
    return next(iter(found.values()), None)


def _unknown(mention: Mention, subjects: Sequence[SubjectRecord]) -> str:
    handles = [subject.handle for subject in subjects]
    if not handles:
        return f"{mention} is not known: no subject has been learnt yet. Learn one first."
    near = difflib.get_close_matches(mention.handle[:80], handles, n=1, cutoff=0.0)
    return f"{mention} is not known. Did you mean @{near[0]}?"


def _expand_identifiers(
    text: str, by_identifier: Mapping[str, SubjectRecord], by_id: dict[str, SubjectRecord]
) -> str:
    """Expand bare identifiers too: add the class noun where it does not follow."""
    mentioned = {subject.identifier: subject for subject in by_id.values()}
    parts: list[str] = []
    end = 0
    for word in re.finditer(r"\w+", text):
        subject = mentioned.get(word[0]) or by_identifier.get(word[0])
        if subject is None or word.start() < end:
            continue
        by_id.setdefault(subject.id, subject)
        parts += [text[end : word.start()], subject_phrase(subject)]
        end = _end_of_noun(text, word.end(), subject.class_noun)
    return "".join([*parts, text[end:]])


def _end_of_noun(text: str, start: int, noun: str) -> int:
    """Return the end of the class noun if it follows at `start` after white space, else `start`."""
    first = start + len(text[start:]) - len(text[start:].lstrip())
    end = first + len(noun)
    follows = start < first and text[first:end] == noun
    return end if follows and not text[end : end + 1].isalnum() else start


def _check_one_base(expanded: ExpandedPrompt) -> None:
    bases = sorted({subject.base_model for subject in expanded.subjects})
    if len(bases) > 1:
        raise InvalidRequest(
            f"This prompt's subjects were learnt on different base models ({', '.join(bases)}). "
            "Name subjects of one base model only."
        )
