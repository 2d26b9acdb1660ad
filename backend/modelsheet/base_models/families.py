"""How many steps each preset learns, by family: what recipes and estimates share. No torch."""

from __future__ import annotations

from modelsheet.api.learn import PresetName
from modelsheet.api.types import Family

BALANCED_STEPS: dict[Family, int] = {"sprite32": 160, "sd15": 400, "sdxl": 400}
WRITE_UP_STEPS = 4500
_LENGTH: dict[PresetName, float] = {"quick": 0.5, "balanced": 1.0, "thorough": 2.0}


def training_steps(family: Family, preset: PresetName) -> int:
    """The most steps; learning ends sooner when likeness no longer rises."""
    return (
        WRITE_UP_STEPS if preset == "write-up" else round(BALANCED_STEPS[family] * _LENGTH[preset])
    )
