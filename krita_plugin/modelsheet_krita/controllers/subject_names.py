"""Rules for subject names."""

from __future__ import annotations

from collections.abc import Collection

from ..backend.api_responses import NAME_LENGTH
from ..i18n import tr, trn
from ..mentions import handle


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
