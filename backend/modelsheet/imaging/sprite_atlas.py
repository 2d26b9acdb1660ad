"""Atlas of a sprite sheet: the position of each frame, as JSON for game engines."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal, get_args

import modelsheet
from modelsheet.imaging.rgba import Size

AtlasFormat = Literal["aseprite", "aseprite-hash", "texturepacker"]
ATLAS_FORMATS: tuple[AtlasFormat, ...] = get_args(AtlasFormat)


def make_atlas(
    names: Sequence[str],
    frame: Size,
    columns: int,
    *,
    image: str,
    style: AtlasFormat,
    frame_ms: int | Sequence[int] = 100,
    once: Collection[str] = (),
    padding: int = 0,
) -> dict[str, Any]:
    """Return the atlas of frames of one size, row by row, with `padding` px around each, as a dict
    for JSON; `names` are unique, and empty for cells without a frame. `frame_ms` is one for all or
    one a name.

    Aseprite's style is its array with durations and a tag for each action, those in `once` not
    repeated; its frames are named by their numbers, by which Phaser's createFromAseprite looks for
    them. Its hash has the same under the numbers. TexturePacker's is its hash, with the pivot at
    the feet.
    """
    rows = -(-len(names) // columns)
    cell = (frame[0] + 2 * padding, frame[1] + 2 * padding)
    size = _size(cell[0] * columns, cell[1] * rows)
    meta: dict[str, Any] = {
        "app": "modelsheet",
        "version": modelsheet.__version__,
        "image": image,
        "format": "RGBA8888",
        "size": size,
        "scale": "1",
    }
    used = [index for index, name in enumerate(names) if name]
    drawn = [names[index] for index in used]
    positions = []
    for index in used:
        row, column = divmod(index, columns)
        corner = (column * cell[0] + padding, row * cell[1] + padding)
        positions.append(_frame_entry(corner, frame))
    if style == "texturepacker":
        pivot = {"x": 0.5, "y": 1.0}
        frames = {n: {**p, "pivot": pivot} for n, p in zip(drawn, positions, strict=True)}
        return {"frames": frames, "meta": meta}
    times = [frame_ms if isinstance(frame_ms, int) else frame_ms[index] for index in used]
    timed = [{**p, "duration": ms} for p, ms in zip(positions, times, strict=True)]
    meta["frameTags"] = [_tag(*run, once) for run in action_runs(drawn)]
    if style == "aseprite-hash":
        return {"frames": {str(k): one for k, one in enumerate(timed)}, "meta": meta}
    return {"frames": [{"filename": str(k), **one} for k, one in enumerate(timed)], "meta": meta}


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


def action_runs(names: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return each run of frames of one action, and its first and last frame; a frame's name is
    action and number.
    """
    runs: list[tuple[str, int, int]] = []
    for index, name in enumerate(names):
        action = name.rpartition(" ")[0]
        if runs and runs[-1][0] == action:
            runs[-1] = action, runs[-1][1], index
        else:
            runs.append((action, index, index))
    return runs


def _tag(action: str, first: int, last: int, once: Collection[str]) -> dict[str, Any]:
    tag = {"name": action, "from": first, "to": last, "direction": "forward"}
    return {**tag, "repeat": "1"} if action in once else tag
