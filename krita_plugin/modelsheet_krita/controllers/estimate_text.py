"""What learning will take, in words."""

from __future__ import annotations

import math

from ..backend.api_responses import Estimate
from ..backend.lora_header import in_words
from ..i18n import tr, trn


def cost(estimate: Estimate) -> str:
    """Time, memory, and what to do where there is too little of it."""
    return " ".join([_time(estimate), *_memory(estimate), tr("You can paint meanwhile.")])


def _time(estimate: Estimate) -> str:
    if estimate.seconds is None:
        return tr("How long it takes is said once it has begun.")
    if estimate.seen_here:
        return tr("At most {time}, judging by the last time.", time=duration(estimate.seconds))
    return tr("At most {time} on one processor core.", time=duration(estimate.seconds))


def _memory(estimate: Estimate) -> list[str]:
    needed, free = estimate.memory_bytes, estimate.free_bytes
    if not needed:
        return []
    said = [
        tr(
            "It takes {size} of memory; {free} are free.",
            size=in_words(needed),
            free=in_words(free),
        )
    ]
    if needed > free:
        said.append(tr("Close other programs first, or learn on a graphics card: it needs less."))
    return said


def duration(seconds: float) -> str:
    if seconds < 95:
        tens = max(10, math.ceil(seconds / 10) * 10)
        return trn("about {count} second", "about {count} seconds", tens)
    minutes = round(seconds / 60)
    if minutes < 90:
        return trn("about {count} minute", "about {count} minutes", minutes)
    return trn("about {count} hour", "about {count} hours", round(minutes / 60))
