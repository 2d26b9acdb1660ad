"""What a LoRA file says of itself, read without the weights: enough to fill in a form."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput
from ..i18n import tr
from .api_responses import IDENTIFIER_LENGTH

MOST_BYTES = 512 << 20  # of a whole file: what the backend takes in 64 parts of 8 MiB
LARGEST_HEADER = 16 << 20
# What the names of a base's kind hold, in the metadata of kohya's and others' programs.
FAMILIES = (("sdxl", "sdxl"), ("stable-diffusion-xl", "sdxl"), ("sd_v1", "sd15"), ("v1", "sd15"))


@dataclass(frozen=True)
class LoraHeader:
    """`trigger` and `family` are empty where the file does not say them; `size` is in bytes."""

    size: int
    trigger: str
    family: str


def read_header(path: Path) -> LoraHeader:
    """Raises BadInput: it cannot be read, is too large, or is no .safetensors file inside."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            beginning = stream.read(8)
            length = struct.unpack("<Q", beginning)[0] if len(beginning) == 8 else 0
            header = stream.read(length) if 2 <= length <= min(size, LARGEST_HEADER) else b""
    except OSError as error:
        raise BadInput(_unreadable(path, error)) from error
    if size > MOST_BYTES:
        raise BadInput(
            tr(
                "“{name}” has {size}; a LoRA has at most {most}. Is it a whole checkpoint?",
                name=path.name,
                size=in_words(size),
                most=in_words(MOST_BYTES),
            )
        )
    return _parsed(path, size, header)


def _parsed(path: Path, size: int, header: bytes) -> LoraHeader:
    try:
        told = json.loads(header).get("__metadata__", {})
        words = {str(key): str(value) for key, value in told.items()}
    except (ValueError, AttributeError, RecursionError):
        raise BadInput(
            tr(
                "“{name}” is no .safetensors file inside, whatever it is called. Get it as one.",
                name=path.name,
            )
        ) from None
    trigger = words.get("modelspec.trigger_phrase", "").strip()
    said = f"{words.get('modelspec.architecture', '')} {words.get('ss_base_model_version', '')}"
    family = next((family for sign, family in FAMILIES if sign in said.casefold()), "")
    return LoraHeader(size, trigger if len(trigger) <= IDENTIFIER_LENGTH else "", family)


def _unreadable(path: Path, error: OSError) -> str:
    return tr("“{name}” cannot be read ({reason}).", name=path.name, reason=error.strerror or error)


def in_words(size: int) -> str:
    """Bytes as artists read them."""
    if size < 1_000_000:
        return tr("{count} kB", count=max(1, round(size / 1000)))
    if size < 1_000_000_000:
        return tr("{count} MB", count=f"{size / 1e6:.1f}")
    return tr("{count} GB", count=f"{size / 1e9:.1f}")
