"""Write the frames of a sprite sheet as Godot 4's SpriteFrames resource (.tres)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from modelsheet.imaging.rgba import Size
from modelsheet.imaging.sprite_atlas import action_runs


def make_sprite_frames(
    names: Sequence[str],
    frame: Size,
    columns: int,
    *,
    image: str,
    frame_ms: Sequence[int],
    once: Collection[str] = (),
) -> str:
    """Return the resource's text: an animation for each action, for an AnimatedSprite2D.

    `names` and cells as of `make_atlas`; `image` lies in the project's folder or beside the file.
    A frame's duration is counted in the animation's own frames, the first of which lasts 1.
    """
    used = [index for index, name in enumerate(names) if name]
    animations = [
        _animation(action, [frame_ms[used[k]] for k in range(first, last + 1)], first, once)
        for action, first, last in action_runs([names[index] for index in used])
    ]
    textures = [
        _texture(number, index % columns * frame[0], index // columns * frame[1], frame)
        for number, index in enumerate(used)
    ]
    return "\n".join(
        [
            f'[gd_resource type="SpriteFrames" load_steps={len(used) + 2} format=3]',
            "",
            f'[ext_resource type="Texture2D" path="{_quoted(image)}" id="1"]',
            "",
            *textures,
            "[resource]",
            f"animations = [{', '.join(animations)}]",
            "",
        ]
    )


def _texture(number: int, x: int, y: int, frame: Size) -> str:
    return (
        f'[sub_resource type="AtlasTexture" id="AtlasTexture_{number}"]\n'
        'atlas = ExtResource("1")\n'
        f"region = Rect2({x}, {y}, {frame[0]}, {frame[1]})\n"
    )


def _animation(action: str, times: Sequence[int], first: int, once: Collection[str]) -> str:
    frames = [
        f'{{\n"duration": {ms / times[0]:g},\n'
        f'"texture": SubResource("AtlasTexture_{first + k}")\n}}'
        for k, ms in enumerate(times)
    ]
    return (
        f'{{\n"frames": [{", ".join(frames)}],\n'
        f'"loop": {"false" if action in once else "true"},\n'
        f'"name": &"{_quoted(action.replace(" ", "_"))}",\n'
        f'"speed": {1000 / times[0]:g}\n}}'
    )


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
