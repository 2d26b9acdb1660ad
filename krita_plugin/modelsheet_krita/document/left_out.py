"""Sentences about selected layers that give no image, one for all layers of the same reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..i18n import tr
from ..image import LAYER_NAME_LENGTH

MOST_NAMES = 3  # in one sentence


@dataclass(frozen=True)
class LeftOut:
    """One layer and the sentence why it is left out; `several` is the sentence for many, in which
    {names} stands for theirs.
    """

    name: str
    sentence: str
    several: str = ""


def quoted(name: str) -> str:
    """Return a layer's name in quotation marks, not too long."""
    return f"“{name[:LAYER_NAME_LENGTH]}”"


def sentences(left_out: Sequence[LeftOut]) -> list[str]:
    """Return a sentence for each reason, with the names of the layers that have it."""
    alike: dict[str, list[LeftOut]] = {}
    for one in left_out:
        alike.setdefault(one.several or one.sentence, []).append(one)
    return [
        group[0].sentence if len(group) == 1 else key.format(names=_listed(group))
        for key, group in alike.items()
    ]


def _listed(group: Sequence[LeftOut]) -> str:
    names = ", ".join(quoted(one.name) for one in group[:MOST_NAMES])
    more = len(group) - MOST_NAMES
    return names if more <= 0 else tr("{names} and {count} more", names=names, count=more)
