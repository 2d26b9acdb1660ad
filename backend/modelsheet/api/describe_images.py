"""Describe images: guessed class nouns and free identifiers."""

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
    """All class nouns of a base model's training; a longer noun phrase may end in one of them."""

    class_nouns: list[str]


class DescribeResult(ApiModel):
    """Guessed class nouns, the most probable first, and unused rare tokens as identifiers."""

    kind: Literal["describe"] = "describe"
    class_nouns: list[ClassNounGuess]
    identifiers: list[str]
    warnings: list[str] = []
