"""Resolution and training steps of each base-model family."""

from __future__ import annotations

from modelsheet.api.learn import PresetName
from modelsheet.api.types import Family

RESOLUTIONS: dict[Family, int] = {"sprite32": 32, "sd15": 512, "sdxl": 1024}  # px
BALANCED_STEPS: dict[Family, int] = {"sprite32": 160, "sd15": 400, "sdxl": 400}
WRITE_UP_STEPS = 4500
_STEPS_FACTOR: dict[PresetName, float] = {"quick": 0.5, "balanced": 1.0, "thorough": 2.0}


def training_steps(family: Family, preset: PresetName) -> int:
    """Return the maximum number of training steps; training stops early on a likeness plateau."""
    return (
        WRITE_UP_STEPS
        if preset == "write-up"
        else round(BALANCED_STEPS[family] * _STEPS_FACTOR[preset])
    )
