"""Base class, constrained scalars and image reference that the API's models share.

The plugin has its own, smaller copies in `modelsheet_krita/backend`; a test holds them together.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

API_VERSION = "1.1"
_NO_LINE = ("Cc", "Cs", "Zl", "Zp")  # Unicode categories


def integral(value: Any) -> Any:
    """Convert 116.0 to 116: JSON Schema's integer admits it, so the API must too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def one_line(text: str) -> str:
    """Refuse control characters and line breaks, which belong in no name or prompt."""
    if any(unicodedata.category(character) in _NO_LINE for character in text):
        raise ValueError("must be one line without control characters")
    return text


def as_one_line(text: str) -> str:
    """Replace control characters and line breaks by spaces."""
    return "".join(" " if unicodedata.category(c) in _NO_LINE else c for c in text)


def not_blank(text: str) -> str:
    """Refuse text of white space alone."""
    if not text.strip():
        raise ValueError("must not be empty")
    return text


# BeforeValidator after Field: the other order makes pydantic put "ge" for "minimum" in the schema.
Pixels = Annotated[int, Field(ge=1, le=8192), BeforeValidator(integral)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1), BeforeValidator(integral)]
Count = Annotated[int, Field(ge=0, le=2**53), BeforeValidator(integral)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
JobId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
ArtistName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,39}$")]
SubjectName = Annotated[
    str, Field(min_length=1, max_length=80), AfterValidator(one_line), AfterValidator(not_blank)
]
ClassNoun = Annotated[str, Field(max_length=60), AfterValidator(one_line)]
Caption = Annotated[str, Field(max_length=300), AfterValidator(one_line)]
Prompt = Annotated[
    str, Field(min_length=1, max_length=2000), AfterValidator(one_line), AfterValidator(not_blank)
]
NegativePrompt = Annotated[str, Field(max_length=2000), AfterValidator(one_line)]
Identifier = Annotated[str, Field(max_length=32), AfterValidator(one_line)]
LayerName = Annotated[str, Field(max_length=300), AfterValidator(as_one_line)]
Note = Annotated[str, Field(max_length=1000), AfterValidator(as_one_line)]  # a sentence to show
UnixSeconds = Annotated[float, Field(ge=0.0, le=32_503_680_000.0)]  # until the year 3000
ModelId = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(one_line)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
AdapterScale = Annotated[float, Field(ge=0.0, le=2.0)]
GuidanceScale = Annotated[float, Field(ge=1.0, le=30.0)]
InferenceSteps = Annotated[int, Field(ge=1, le=200), BeforeValidator(integral)]
HexColour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
Family = Literal["sprite32", "sd15", "sdxl", "flux2-klein"]


class ApiModel(BaseModel):
    """Base of all models of the API. JSON has no NaN and no infinity, so no field takes them."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class ImageRef(ApiModel):
    """An image in a blob: raw straight-alpha BGRA8 sRGB, width * height * 4 bytes."""

    blob: Sha256
    width: Pixels
    height: Pixels
    name: LayerName = ""
