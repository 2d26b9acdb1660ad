"""List the image sources among the selected layers: layers, children of groups, key frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..i18n import tr
from ..image import ReadOptions
from .layer_tree import MASKS

if TYPE_CHECKING:
    from krita import Node


@dataclass(frozen=True)
class LayerSource:
    """Source of one image: a layer or, with a time, one key frame of it."""

    node: Node
    name: str
    time: int | None = None


def list_sources(
    selected: Sequence[Node], options: ReadOptions, last_time: int
) -> list[LayerSource]:
    """List the sources of the selected layers. `last_time`: of the animation."""
    nodes: list[Node] = []
    for node in selected:
        children = _visible_children(node) if options.each_child else []
        nodes += children or [node]
    sources = []
    for node in nodes:
        times = key_frames(node, last_time) if options.frames else []
        name = node.name()
        sources += [
            LayerSource(node, tr("{layer}, frame {time}", layer=name, time=time), time)
            for time in times
        ] or [LayerSource(node, name)]
    return sources


def has_children(node: Node) -> bool:
    """Return True if the node is a group that shows more than one layer."""
    return len(_visible_children(node)) > 1


def key_frames(node: Node, last_time: int) -> list[int]:
    """Return the times of a layer's key frames, if it has more than one."""
    if node.type() != "paintlayer" or not node.animated():
        return []
    times = [time for time in range(last_time + 1) if node.hasKeyframeAtTime(time)]
    return times if len(times) > 1 else []


def _visible_children(node: Node) -> list[Node]:
    """Return the visible layers in a group, from top to bottom."""
    if node.type() != "grouplayer":
        return []
    layers = [child for child in reversed(node.childNodes()) if child.type() not in MASKS]
    return [layer for layer in layers if layer.visible()]
