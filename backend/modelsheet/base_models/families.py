"""How many steps each preset learns, by family: what recipes and estimates share. No torch."""

from __future__ import annotations

from modelsheet.api.learn import PresetName
from modelsheet.api.types import Family

BALANCED: dict[Family, int] = {"sprite32": 160, "sd15": 400, "sdxl": 400}
WRITE_UP = 4500
_LENGTH: dict[PresetName, float] = {"quick": 0.5, "balanced": 1.0, "thorough": 2.0}


def training_steps(family: Family, preset: PresetName) -> int:
    """The most steps; learning ends sooner when likeness no longer rises."""
    return WRITE_UP if preset == "write-up" else round(BALANCED[family] * _LENGTH[preset])
