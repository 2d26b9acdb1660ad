"""What the selected layers offer to learn from: each once, the children of a group, or frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..i18n import tr
from .layer_tree import MASKS, LayerWalk


@dataclass(frozen=True)
class Wish:
    """How the artist wants the selected layers read."""

    each_child: bool = False  # of a group; else the group is one picture
    frames: bool = True  # of an animated layer; else what it shows now
    inside_selection: bool = True


@dataclass(frozen=True)
class Source:
    """One picture to be: a layer, or with a time one key frame of it."""

    node: Any
    name: str
    time: int | None = None


def expand(walk: LayerWalk, chosen: Sequence[Any], wish: Wish, last_time: int) -> list[Source]:
    """List the pictures that `chosen` layers are to give. `last_time`: of the animation."""
    nodes = []
    for node in chosen:
        children = _layers_in(node) if wish.each_child else []
        nodes += children or [node]
    sources = []
    for node in nodes:
        times = key_frames(node, last_time) if wish.frames else []
        name = node.name()
        sources += [
            Source(node, tr("{layer}, frame {time}", layer=name, time=time), time) for time in times
        ] or [Source(node, name)]
    return sources


def has_children(node: Any) -> bool:
    return len(_layers_in(node)) > 1


def key_frames(node: Any, last_time: int) -> list[int]:
    """The times of a layer's key frames, where it has more than one."""
    if node.type() != "paintlayer" or not node.animated():
        return []
    times = [time for time in range(last_time + 1) if node.hasKeyframeAtTime(time)]
    return times if len(times) > 1 else []


def _layers_in(node: Any) -> list[Any]:
    """The layers in a group, as the artist sees them from top to bottom, without the hidden."""
    if node.type() != "grouplayer":
        return []
    layers = [child for child in reversed(node.childNodes()) if child.type() not in MASKS]
    return [layer for layer in layers if layer.visible()]
