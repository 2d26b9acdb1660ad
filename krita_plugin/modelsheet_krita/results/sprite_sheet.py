"""Sprite sheet of an animation, a row for each action and view, and its atlas for game engines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from ..image import Image, as_qimage, from_qimage, to_qimage
from ..qt import QtCore, QtGui


@dataclass(frozen=True)
class Strip:
    """One row of a sheet: the frames of one action in one view, all of one size."""

    action: str  # empty for a key view
    view: str
    images: Sequence[Image]
    frame_ms: int
    loops: bool

    @property
    def name(self) -> str:
        """Action and view, by which engines find the animation."""
        return f"{self.action} {self.view}".strip()


def draw_sheet(strips: Sequence[Strip], name: str) -> Image:
    """Lay each strip out as one row, from the left."""
    width, height = _frame_size(strips)
    columns = max(len(strip.images) for strip in strips)
    size = QtCore.QSize(columns * width, len(strips) * height)
    sheet = QtGui.QImage(size, QtGui.QImage.Format.Format_ARGB32)
    sheet.fill(QtCore.Qt.GlobalColor.transparent)
    painter = QtGui.QPainter(sheet)
    painter.setCompositionMode(QtGui.QPainter.CompositionMode.CompositionMode_Source)
    for row, strip in enumerate(strips):
        for column, image in enumerate(strip.images):
            painter.drawImage(column * width, row * height, as_qimage(image))
    painter.end()
    return from_qimage(sheet, name)


def save(path: Path, strips: Sequence[Strip], engine: str) -> Path | None:
    """Write the sheet as PNG at `path` and its atlas beside it.

    `engine`: aseprite, texturepacker or godot. Returns the file that could not be written, if any.
    """
    atlas, suffix = ATLASES[engine]
    text_path = path.with_suffix(suffix)
    if not to_qimage(draw_sheet(strips, path.stem)).save(str(path), "PNG"):
        return path
    try:
        text_path.write_text(atlas(strips, path.name), encoding="utf-8")
    except OSError:
        return text_path
    return None


def aseprite_atlas(strips: Sequence[Strip], image: str) -> str:
    """Return Aseprite's JSON, an array of frames with a tag per strip, which Phaser loads too.

    The frames are named by their numbers: Phaser's createFromAseprite looks for these.
    """
    frames: list[dict[str, Any]] = []
    tags: list[dict[str, Any]] = []
    for strip, boxes in zip(strips, _boxes(strips)):
        first = len(frames)
        frames += [
            {"filename": str(first + number), **_entry(box), "duration": strip.frame_ms}
            for number, box in enumerate(boxes)
        ]
        last = len(frames) - 1
        tag: dict[str, Any] = {"name": strip.name, "from": first, "to": last}
        repeats = {} if strip.loops else {"repeat": "1"}
        tags.append({**tag, "direction": "forward", **repeats})
    return _json({"frames": frames, "meta": {**_meta(strips, image), "frameTags": tags}})


def texturepacker_atlas(strips: Sequence[Strip], image: str) -> str:
    """Return TexturePacker's JSON hash; the pivot of each frame is at its feet."""
    pivot = {"x": 0.5, "y": 1.0}
    frames = {
        f"{strip.name} {number}": {**_entry(box), "pivot": pivot}
        for strip, boxes in zip(strips, _boxes(strips))
        for number, box in enumerate(boxes)
    }
    return _json({"frames": frames, "meta": _meta(strips, image)})


def godot_sprite_frames(strips: Sequence[Strip], image: str) -> str:
    """Return a SpriteFrames resource of Godot 4 with an animation per strip.

    It looks for the image in the folder `res://`: there both files belong.
    """
    boxes = [box for row in _boxes(strips) for box in row]
    lines = [
        f'[gd_resource type="SpriteFrames" load_steps={len(boxes) + 2} format=3]',
        "",
        f'[ext_resource type="Texture2D" path={json.dumps("res://" + image)} id="1"]',
        "",
    ]
    for number, (x, y, width, height) in enumerate(boxes):
        lines += [
            f'[sub_resource type="AtlasTexture" id="frame_{number}"]',
            'atlas = ExtResource("1")',
            f"region = Rect2({x}, {y}, {width}, {height})",
            "",
        ]
    animations, number = [], 0
    for strip in strips:
        textures = []
        for _ in strip.images:
            texture = f'SubResource("frame_{number}")'
            textures.append('{"duration": 1.0, "texture": ' + texture + "}")
            number += 1
        speed = round(1000 / strip.frame_ms, 3) if strip.frame_ms else 1.0
        animations.append(
            f'{{"frames": [{", ".join(textures)}], "loop": {str(strip.loops).lower()}, '
            f'"name": &{json.dumps(strip.name)}, "speed": {speed}}}'
        )
    return "\n".join([*lines, "[resource]", f"animations = [{', '.join(animations)}]", ""])


ATLASES: dict[str, tuple[Callable[[Sequence[Strip], str], str], str]] = {
    "aseprite": (aseprite_atlas, ".json"),
    "texturepacker": (texturepacker_atlas, ".json"),
    "godot": (godot_sprite_frames, ".tres"),
}


def _boxes(strips: Sequence[Strip]) -> list[list[tuple[int, int, int, int]]]:
    """Return the box of each frame in the sheet, by strip."""
    width, height = _frame_size(strips)
    return [
        [(column * width, row * height, width, height) for column in range(len(strip.images))]
        for row, strip in enumerate(strips)
    ]


def _frame_size(strips: Sequence[Strip]) -> tuple[int, int]:
    first = strips[0].images[0]
    return first.width, first.height


def _entry(box: tuple[int, int, int, int]) -> dict[str, Any]:
    x, y, width, height = box
    size = {"w": width, "h": height}
    return {
        "frame": {"x": x, "y": y, **size},
        "rotated": False,
        "trimmed": False,
        "spriteSourceSize": {"x": 0, "y": 0, **size},
        "sourceSize": size,
    }


def _meta(strips: Sequence[Strip], image: str) -> dict[str, Any]:
    width, height = _frame_size(strips)
    columns = max(len(strip.images) for strip in strips)
    return {
        "app": "modelsheet",
        "version": "1.0",
        "image": image,
        "format": "RGBA8888",
        "size": {"w": columns * width, "h": len(strips) * height},
        "scale": "1",
    }


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"
