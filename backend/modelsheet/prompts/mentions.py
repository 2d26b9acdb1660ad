"""Expand the mentions of a prompt: @name becomes the subject's identifier and class noun, or its
noun and the numbers of its reference pictures. No torch.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
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
    def learnt_on(self) -> str | None:
        """Base model of the subjects that are learnt, None without any."""
        return next((one.base_model for one in self.subjects if one.is_learnt), None)

    @property
    def base_model(self) -> str | None:
        return self.learnt_on or next((one.base_model for one in self.subjects), None)


# Number of a subject's reference pictures that are given.
CountPictures = Callable[[SubjectRecord], int]


def _no_pictures(subject: SubjectRecord) -> int:
    return 0


def expand_prompt(
    prompt: str,
    subjects: Sequence[SubjectRecord],
    owner: str = "",
    count_pictures: CountPictures = _no_pictures,
) -> ExpandedPrompt:
    """Replace each mention of a subject, @handle or its bare identifier, by "identifier class-
    noun", or by the noun alone where it is not learnt yet. Where `count_pictures` says that
    reference pictures of it are given, their numbers follow: "cat from images 1 to 3".

    `subjects` are newest first. A handle means `owner`'s own subject of that handle before another
    artist's, which `@artist/handle` means. A bare identifier is a mention only of `owner`'s own
    subjects that were learnt here: that of an imported one may be any word.

    Raises NotFound, which suggests the nearest handle. InvalidRequest: two artists have a subject
    of that handle and `owner` has none; subjects of different base models.
    """
    own = [subject for subject in subjects if subject.owner == owner]
    by_identifier = {one.identifier: one for one in reversed(own) if not one.is_imported}
    mentioned = _Mentioned(count_pictures)
    parts: list[str] = []
    end = 0
    for written in find_mentions(prompt):
        mention, subject = _resolve(written, subjects, owner)
        parts += [prompt[end : mention.start], mentioned.phrase(subject)]
        end = mention.end
    typed = [*parts[::2], prompt[end:]]
    expanded = [_expand_identifiers(text, by_identifier, mentioned) for text in typed]
    phrases = [*parts[1::2], ""]
    text = "".join(part for pair in zip(expanded, phrases, strict=True) for part in pair)
    result = ExpandedPrompt(text, tuple(mentioned.subjects.values()))
    _check_one_base(result)
    return result


class _Mentioned:
    """The subjects mentioned so far, by id, and the numbers of their pictures."""

    def __init__(self, count_pictures: CountPictures) -> None:
        self.subjects: dict[str, SubjectRecord] = {}
        self._count_pictures = count_pictures
        self._phrases: dict[str, str] = {}
        self._pictures = 0

    def phrase(self, subject: SubjectRecord) -> str:
        """Return what stands for a mention of the subject."""
        if subject.id not in self.subjects:
            self.subjects[subject.id] = subject
            count = self._count_pictures(subject)
            numbers = picture_numbers(self._pictures + 1, count)
            self._phrases[subject.id] = f"{subject_phrase(subject)}{numbers}"
            self._pictures += count
        return self._phrases[subject.id]


def subject_phrase(subject: SubjectRecord) -> str:
    """Return the subject's name in its training prompts, "identifier class-noun", or its noun."""
    return f"{subject.identifier} {subject.class_noun}".strip()


def picture_numbers(first: int, count: int) -> str:
    """Return the words that tell a subject's reference pictures from others; "" without any."""
    if count < 2:
        return f" from image {first}" if count else ""
    return f" from images {first} to {first + count - 1}"


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
    text: str, by_identifier: Mapping[str, SubjectRecord], mentioned: _Mentioned
) -> str:
    """Expand bare identifiers too: add the class noun where it does not follow."""
    known = {**by_identifier, **{one.identifier: one for one in mentioned.subjects.values()}}
    parts: list[str] = []
    end = 0
    for word in re.finditer(r"\w+", text):
        subject = known.get(word[0])
        if subject is None or word.start() < end:
            continue
        parts += [text[end : word.start()], mentioned.phrase(subject)]
        end = _end_of_noun(text, word.end(), subject.class_noun)
    return "".join([*parts, text[end:]])


def _end_of_noun(text: str, start: int, noun: str) -> int:
    """Return the end of the class noun if it follows at `start` after white space, else `start`."""
    first = start + len(text[start:]) - len(text[start:].lstrip())
    end = first + len(noun)
    follows = start < first and text[first:end] == noun
    return end if follows and not text[end : end + 1].isalnum() else start


def _check_one_base(expanded: ExpandedPrompt) -> None:
    bases = sorted({subject.base_model for subject in expanded.subjects if subject.is_learnt})
    if len(bases) > 1:
        raise InvalidRequest(
            f"This prompt's subjects were learnt on different base models ({', '.join(bases)}). "
            "Name subjects of one base model only."
        )
