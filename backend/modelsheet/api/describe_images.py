"""Describe images: guessed class nouns and free identifiers; what a noun is learnt as."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from modelsheet.api.types import ApiModel, Fraction, ImageRef, ModelId


class DescribeRequest(ApiModel):
    """Guess class nouns of the images, with probabilities, and propose identifiers."""

    kind: Literal["describe"] = "describe"
    base_model: ModelId = "sprite32"
    images: Annotated[list[ImageRef], Field(min_length=1, max_length=64)]


class ClassNounGuess(ApiModel):
    """A class noun and the probability that the images show it."""

    noun: str
    probability: Fraction


class ClassNounList(ApiModel):
    """All class nouns of a base model's training; a longer noun phrase may end in one of them.

    `everyday_nouns` are nouns in English and Russian that lead to one of them.
    """

    class_nouns: list[str]
    everyday_nouns: list[str] = []


class ClassNounMatch(ApiModel):
    """The class noun that is learnt for a noun phrase; empty where none is near to it.

    `meant` is the noun that a misspelt one was taken for. `alternatives` may be chosen instead, the
    nearest first; without a `class_noun` they are general ones.
    """

    class_noun: str = ""
    meant: str = ""
    alternatives: list[str] = []


class DescribeResult(ApiModel):
    """Class nouns that are more likely right than wrong, and unused rare tokens as identifiers."""

    kind: Literal["describe"] = "describe"
    class_nouns: list[ClassNounGuess]
    identifiers: list[str]
    warnings: list[str] = []
