"""Format the estimate of what learning takes: time and memory."""

from __future__ import annotations

import math

from ..backend.api_responses import Estimate
from ..i18n import format_bytes, tr, trn


def estimate_text(estimate: Estimate) -> str:
    """Format time and memory, with advice where there is too little memory."""
    return " ".join([_time(estimate), *_memory(estimate), tr("You can paint meanwhile.")])


def _time(estimate: Estimate) -> str:
    if estimate.seconds is None:
        return tr("How long it takes is said once it has begun.")
    if estimate.seen_here:
        return tr(
            "At most {time}, judging by the last time.", time=format_duration(estimate.seconds)
        )
    return tr("At most {time} on one processor core.", time=format_duration(estimate.seconds))


def _memory(estimate: Estimate) -> list[str]:
    needed, free = estimate.memory_bytes, estimate.free_bytes
    if not needed:
        return []
    sentences = [
        tr(
            "It takes {size} of memory; {free} are free.",
            size=format_bytes(needed),
            free=format_bytes(free),
        )
    ]
    if needed > free:
        sentences.append(
            tr("Close other programs first, or learn on a graphics card: it needs less.")
        )
    return sentences


def format_duration(seconds: float) -> str:
    """Format a duration, rounded, such as "about 20 minutes"."""
    if seconds < 95:
        tens = max(10, math.ceil(seconds / 10) * 10)
        return trn("about {count} second", "about {count} seconds", tens)
    minutes = round(seconds / 60)
    if minutes < 90:
        return trn("about {count} minute", "about {count} minutes", minutes)
    return trn("about {count} hour", "about {count} hours", round(minutes / 60))
