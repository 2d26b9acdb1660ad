"""Read the metadata of a LoRA file without its weights, to fill in the import dialog."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput
from ..i18n import format_bytes, tr
from .api_responses import IDENTIFIER_LENGTH

MOST_BYTES = 512 << 20  # of a whole file: what the backend takes in 64 parts of 8 MiB
LARGEST_HEADER = 16 << 20
# Parts of the base model's name in the metadata of kohya's and other programs, and the family.
FAMILIES = (("sdxl", "sdxl"), ("stable-diffusion-xl", "sdxl"), ("sd_v1", "sd15"), ("v1", "sd15"))


@dataclass(frozen=True)
class LoraHeader:
    """Metadata of a LoRA file: size in bytes, trigger word and family, empty where not given."""

    size: int
    trigger: str
    family: str


def read_header(path: Path) -> LoraHeader:
    """Read the header of a .safetensors file.

    Raises BadInput when it cannot be read, is too large, or has another format.
    """
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
                size=format_bytes(size),
                most=format_bytes(MOST_BYTES),
            )
        )
    return _parsed(path, size, header)


def _parsed(path: Path, size: int, header: bytes) -> LoraHeader:
    try:
        metadata = json.loads(header).get("__metadata__", {})
        entries = {str(key): str(value) for key, value in metadata.items()}
    except (ValueError, AttributeError, RecursionError):
        raise BadInput(
            tr(
                "“{name}” is no .safetensors file inside, whatever it is called. Get it as one.",
                name=path.name,
            )
        ) from None
    trigger = entries.get("modelspec.trigger_phrase", "").strip()
    base = f"{entries.get('modelspec.architecture', '')} {entries.get('ss_base_model_version', '')}"
    family = next((family for sign, family in FAMILIES if sign in base.casefold()), "")
    return LoraHeader(size, trigger if len(trigger) <= IDENTIFIER_LENGTH else "", family)


def _unreadable(path: Path, error: OSError) -> str:
    return tr("“{name}” cannot be read ({reason}).", name=path.name, reason=error.strerror or error)
