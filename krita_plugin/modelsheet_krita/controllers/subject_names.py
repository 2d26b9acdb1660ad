"""Rules for subject names, their @handles in prompts, and class nouns."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence

from ..backend.api_responses import NAME_LENGTH
from ..i18n import tr, trn

MOST_SIMILAR = 4
_JOINERS = "\u200c\u200d"  # invisible, within words of Persian and Indic scripts


def handle(name: str) -> str:
    """Return the word after @: letters, their marks and digits in lower case, underscores between.

    The same as the backend's `subjects/handles.py`.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    word = ""
    for character in folded:
        kind = unicodedata.category(character)[0]
        if kind in "LN" or (kind == "M" and word and word[-1] != "_"):
            word += character
        elif character not in _JOINERS and not word.endswith("_"):
            word += "_"
    return word.strip("_")


def mentioned(prompt: str) -> set[str]:
    """Return the handles after @ in a prompt, each with its owner ("ann/hero") if one is named."""
    found = set()
    for text in prompt.split("@")[1:]:
        first = next(iter(text.split()), "") if text[:1].strip() else ""
        owner, slash, name = first.rpartition("/")
        end = next((i for i, each in enumerate(name) if not _is_in_word(each)), len(name))
        found.add(f"{owner}{slash}{handle(name[:end])}")
    return found


def _is_in_word(character: str) -> bool:
    is_joined = character == "_" or character in _JOINERS
    return is_joined or unicodedata.category(character)[0] in "LNM"


def name_error(name: str, taken: Collection[str]) -> str:
    """Return a sentence why a subject cannot have this name, or "". `taken`: handles in use."""
    if not name:
        return tr("Give the subject a name.")
    if len(name) > NAME_LENGTH:
        return trn(
            "The name has one character; shorten it to {most}.",
            "The name has {count} characters; shorten it to {most}.",
            len(name),
            most=NAME_LENGTH,
        )
    if not name.isprintable():
        return tr("The name must be one line of plain text. Type it again.")
    if not handle(name):
        return tr("The name needs a letter or a digit, so that a prompt can mention it.")
    if handle(name) in taken:
        return tr("There is a subject @{word} already. Choose another name.", word=handle(name))
    return ""


def hint(name: str) -> str:
    """Return the sentence that explains the name's handle."""
    word = handle(name)
    if word == name.casefold():
        return tr("In prompts: @{word}", word=word)
    return tr("In prompts: @{word} (only letters and digits count there)", word=word)


def noun_error(noun: str, known: Sequence[str], base_model: str) -> str:
    """Return a sentence that the base model does not know the noun, with similar ones, or "".

    A phrase that ends in a known noun is accepted ("old elf woman"), and so is everything while
    `known` is empty.
    """
    wanted = " ".join(noun.split()).lower()
    if not wanted or not known:
        return ""
    if any(wanted == each or wanted.endswith(f" {each}") for each in known):
        return ""
    words = set(wanted.split())
    similar = [each for each in known if words & set(each.split())][:MOST_SIMILAR]
    if similar:
        return tr(
            "{base} does not know “{noun}”. Near to it: {near}.",
            base=base_model,
            noun=wanted,
            near=", ".join(similar),
        )
    return tr(
        "{base} does not know “{noun}”. Type a word of it, and choose from what is offered.",
        base=base_model,
        noun=wanted,
    )
