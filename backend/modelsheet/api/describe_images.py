"""Describe images: class nouns, free identifiers, and what a base model sees of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from modelsheet.api.types import ApiModel, Fraction, ImageRef, ModelId, Pixels


class DescribeRequest(ApiModel):
    """Guess class nouns of the images, with probabilities, and propose identifiers.

    With `prepared` the result has the pictures that would be learnt from; without `nouns` nothing
    is guessed or proposed, which is faster.
    """

    kind: Literal["describe"] = "describe"
    base_model: ModelId = "sprite32"
    images: Annotated[list[ImageRef], Field(min_length=1, max_length=64)]
    nouns: bool = True
    prepared: bool = False


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


class PreparedImage(ImageRef):
    """An image as the base model learns it; `drawn_width` and `drawn_height` are the px of what it
    shows, before it was scaled.
    """

    drawn_width: Pixels
    drawn_height: Pixels


class DescribeResult(ApiModel):
    """Class nouns that are more likely right than wrong, and unused rare tokens as identifiers;
    `prepared` has an image for each of the request's, in their order.
    """

    kind: Literal["describe"] = "describe"
    class_nouns: list[ClassNounGuess]
    identifiers: list[str]
    prepared: list[PreparedImage] = []
    warnings: list[str] = []
