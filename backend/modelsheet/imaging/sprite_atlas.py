"""Atlas of a sprite sheet: the position of each frame, as JSON for game engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import modelsheet
from modelsheet.imaging.rgba import Size

AtlasFormat = Literal["aseprite", "texturepacker"]
ATLAS_FORMATS: tuple[AtlasFormat, ...] = get_args(AtlasFormat)


def make_atlas(
    names: Sequence[str],
    frame: Size,
    columns: int,
    *,
    image: str,
    style: AtlasFormat,
    frame_ms: int = 100,
    padding: int = 0,
) -> dict[str, Any]:
    """Return the atlas of frames of one size, row by row, with `padding` px around each, as a dict
    for JSON; `names` are unique.

    Aseprite's style is its array with durations and a tag for each action; its frames are named by
    their numbers, by which Phaser's createFromAseprite looks for them. TexturePacker's is its hash,
    with the pivot at the feet.
    """
    rows = -(-len(names) // columns)
    cell = (frame[0] + 2 * padding, frame[1] + 2 * padding)
    size = _size(cell[0] * columns, cell[1] * rows)
    meta = {
        "app": "modelsheet",
        "version": modelsheet.__version__,
        "image": image,
        "format": "RGBA8888",
        "size": size,
        "scale": "1",
    }
    positions = []
    for index in range(len(names)):
        row, column = divmod(index, columns)
        corner = (column * cell[0] + padding, row * cell[1] + padding)
        positions.append(_frame_entry(corner, frame))
    if style == "texturepacker":
        pivot = {"x": 0.5, "y": 1.0}
        frames = {n: {**p, "pivot": pivot} for n, p in zip(names, positions, strict=True)}
        return {"frames": frames, "meta": meta}
    timed = [
        {"filename": str(number), **position, "duration": frame_ms}
        for number, position in enumerate(positions)
    ]
    return {"frames": timed, "meta": {**meta, "frameTags": _tags(names)}}


def _frame_entry(corner: tuple[int, int], frame: Size) -> dict[str, Any]:
    bounds = {"x": 0, "y": 0, **_size(*frame)}
    return {
        "frame": {"x": corner[0], "y": corner[1], **_size(*frame)},
        "rotated": False,
        "trimmed": False,
        "spriteSourceSize": bounds,
        "sourceSize": _size(*frame),
    }


def _size(width: int, height: int) -> dict[str, int]:
    return {"w": width, "h": height}


def _tags(names: Sequence[str]) -> list[dict[str, Any]]:
    """Return a tag for each run of frames of one action; a frame's name is action and number."""
    tags: list[dict[str, Any]] = []
    for index, name in enumerate(names):
        action = name.rpartition(" ")[0]
        if tags and tags[-1]["name"] == action:
            tags[-1]["to"] = index
        else:
            tags.append({"name": action, "from": index, "to": index, "direction": "forward"})
    return tags
