"""Read an OpenRaster document as a benchmark subject: its layers are the references; it has no true
images.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelsheet.errors import InvalidRequest
from modelsheet.imaging.openraster import read_layers
from modelsheet.prompts.captions import caption_from_layer_name
from modelsheet_benchmarks.subjects import BenchmarkSubject, prompt_for

# In the vocabulary of the embedded base model.
PROMPTS = (
    "holding sword",
    "holding war axe",
    "holding scythe",
    "holding trident",
    "with blue knight shield",
    "with red book",
    "wearing red robe",
    "wearing chain mail",
    "red cloak",
    "black cloak",
    "on grass floor",
    "holding sword, on grass floor",
)


def read_openraster_subject(
    file: Path, class_noun: str, asked: Sequence[str] = ()
) -> BenchmarkSubject:
    """Read an OpenRaster document (.ora); layers with a default name have no caption.

    Raises InvalidImages when it cannot be read, InvalidRequest without a class noun.
    """
    if not class_noun.strip():
        raise InvalidRequest(f"Say what {file.name} shows: --class-noun “human woman”, say.")
    layers = read_layers(file)
    return BenchmarkSubject(
        name=file.stem,
        class_noun=class_noun.strip(),
        references=[layer.image.convert("RGBA") for layer in layers],
        captions=[caption_from_layer_name(layer.name) for layer in layers],
        prompts={suffix: prompt_for(suffix) for suffix in asked or PROMPTS},
        truths={},
    )
