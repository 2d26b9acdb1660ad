"""Describe images: guessed class nouns and free identifiers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from modelsheet.api.types import Fraction, ImageRef, Model, ModelId


class DescribeRequest(Model):
    """Ask what the pictures show: class nouns with probabilities, and good identifiers."""

    kind: Literal["describe"] = "describe"
    base_model: ModelId = "sprite32"
    images: Annotated[list[ImageRef], Field(min_length=1, max_length=64)]


class ClassNounGuess(Model):
    noun: str
    probability: Fraction


class ClassNounList(Model):
    """All nouns that a base model takes for what a subject is; a longer one may end in one."""

    class_nouns: list[str]


class DescribeResult(Model):
    kind: Literal["describe"] = "describe"
    class_nouns: list[ClassNounGuess]
    identifiers: list[str]
    warnings: list[str] = []
