"""Vocabulary of a base model's training captions."""

from __future__ import annotations

from modelsheet.api.types import ApiModel


class Vocabulary(ApiModel):
    """The `phrases` of a base model's training captions, and the `words` that count in a prompt.

    Both are empty for a base model that knows any word.
    """

    phrases: list[str] = []
    words: list[str] = []
