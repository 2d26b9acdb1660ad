"""The table of families: facts that are known of each before a model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modelsheet.api.learn import PresetName
from modelsheet.api.types import Family

WRITE_UP_STEPS = 4500
_STEPS_FACTOR: dict[PresetName, float] = {"quick": 0.5, "balanced": 1.0, "thorough": 2.0}
_GIB = 1 << 30


@dataclass(frozen=True)
class FamilyFacts:
    """Resolution in px and training steps of the balanced preset.

    A family with `is_pixel_art` paints sprites, each pixel of which counts, and knows the words of
    its training captions alone; the others paint what they call photos and know any English.
    `step_s` is the seconds of a training step on one core, `memory_bytes` what learning takes on a
    processor at the preset's batch; None where neither was measured.
    """

    resolution: int
    balanced_steps: int
    is_pixel_art: bool = False
    step_s: float | None = None
    memory_bytes: int | None = None


FAMILIES: Mapping[Family, FamilyFacts] = {
    "sprite32": FamilyFacts(32, 160, is_pixel_art=True, step_s=0.65, memory_bytes=_GIB),
    "sd15": FamilyFacts(512, 400, memory_bytes=13 * _GIB),
    "sdxl": FamilyFacts(1024, 400),
}


def is_pixel_art(family: Family) -> bool:
    """Return True for a family that paints sprites."""
    return FAMILIES[family].is_pixel_art


def training_steps(family: Family, preset: PresetName) -> int:
    """Return the maximum number of training steps; training stops early on a likeness plateau."""
    return (
        WRITE_UP_STEPS
        if preset == "write-up"
        else round(FAMILIES[family].balanced_steps * _STEPS_FACTOR[preset])
    )
