"""How a subject may be called, by which @handle a prompt names it, and what it may be."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ..backend.api_responses import NAME_LENGTH
from ..i18n import tr, trn

MOST_NEAR = 4


def handle(name: str) -> str:
    """The word after @: letters and digits in lower case, all between them one underscore."""
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")


def objection(name: str, taken: Collection[str]) -> str:
    """Say why a subject cannot be called so and what to do, or nothing. `taken`: handles."""
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
    """Say how prompts will name it, and what of the name they leave out."""
    word = handle(name)
    if word == name.casefold():
        return tr("In prompts: @{word}", word=word)
    return tr("In prompts: @{word} (only letters and digits count there)", word=word)


def noun_objection(noun: str, known: Sequence[str], base_model: str) -> str:
    """Say that the base model knows no such class noun and which are near, or nothing.

    One that ends in a known noun will do ("old elf woman"). Nothing is judged by an empty list.
    """
    wanted = " ".join(noun.split()).lower()
    if not wanted or not known:
        return ""
    if any(wanted == each or wanted.endswith(f" {each}") for each in known):
        return ""
    words = set(wanted.split())
    near = [each for each in known if words & set(each.split())][:MOST_NEAR]
    if near:
        return tr(
            "{base} does not know “{noun}”. Near to it: {near}.",
            base=base_model,
            noun=wanted,
            near=", ".join(near),
        )
    return tr(
        "{base} does not know “{noun}”. Type a word of it, and choose from what is offered.",
        base=base_model,
        noun=wanted,
    )
