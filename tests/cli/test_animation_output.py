"""Each format is read back by the rules of the engine or program that it is for."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modelsheet.cli.animation_output import FORMATS, Clip, write_animation
from modelsheet.imaging.openraster import Group, Layer, read_document

SIDE = 6


def frame(level: int) -> Image.Image:
    """Draw a dot of one grey; no two frames have the same."""
    image = Image.new("RGBA", (SIDE, SIDE))
    image.paste((level, level, level, 255), (1, 1, 4, 5))
    return image


CLIPS = [
    Clip("front", "", [frame(10)], 0),
    Clip("left", "", [frame(20)], 0),
    Clip("front", "walk", [frame(30), frame(31), frame(32)], 120),
    Clip("left", "walk", [frame(40), frame(41), frame(42)], 120),
    Clip("left", "slash", [frame(50), frame(51)], 80, loops=False),
]


def level_at(image: Image.Image, x: int, y: int, width: int, height: int) -> int:
    """Read which frame lies somewhere on a sheet; it must be there whole."""
    part = np.asarray(image.crop((x, y, x + width, y + height)))
    assert part.shape == (SIDE, SIDE, 4)
    np.testing.assert_array_equal(part, np.asarray(frame(int(part[2, 2, 0]))))
    return int(part[2, 2, 0])


def read_atlas(folder: Path, form: str) -> tuple[Image.Image, Any]:
    image, atlas = write_animation(CLIPS, folder / "hero", form)
    content = json.loads(atlas.read_text("utf-8"))
    assert content["meta"]["image"] == image.name
    return Image.open(image), content


def test_single_frames_are_named_by_action_view_and_number(tmp_path: Path) -> None:
    paths = write_animation(CLIPS, tmp_path / "hero", "frames")

    assert [path.name for path in paths[:4]] == [
        "hero-front.png",
        "hero-left.png",
        "hero-walk-front-0.png",
        "hero-walk-front-1.png",
    ]
    assert Image.open(paths[3]).tobytes() == frame(31).tobytes()


def test_the_document_has_a_group_a_view_and_one_an_action(tmp_path: Path) -> None:
    (path,) = write_animation(CLIPS, tmp_path / "hero", "ora")

    front, left = read_document(path).nodes
    assert isinstance(front, Group)
    assert isinstance(left, Group)
    assert (front.name, left.name) == ("front", "left")
    assert [node.name for node in left.nodes] == ["left", "walk left", "slash left"]
    slash = left.nodes[2]
    assert isinstance(slash, Group)
    first, second = slash.nodes  # bottom first, as Krita takes frames
    assert isinstance(first, Layer)
    assert isinstance(second, Layer)
    assert first.image.tobytes() == frame(50).tobytes()
    assert second.image.tobytes() == frame(51).tobytes()


@pytest.mark.parametrize(("form", "suffix"), [("gif", ".gif"), ("apng", ".png")])
def test_films_show_the_views_side_by_side_for_the_right_time(
    tmp_path: Path, form: str, suffix: str
) -> None:
    walk, slash = write_animation(CLIPS, tmp_path / "hero", form)

    assert (walk.name, slash.name) == (f"hero-walk{suffix}", f"hero-slash{suffix}")
    with Image.open(walk) as film:
        assert film.n_frames == 3
        assert film.info["loop"] == 0
        for number, levels in enumerate([(30, 40), (31, 41), (32, 42)]):
            film.seek(number)
            assert film.info["duration"] == 120
            shown = film.convert("RGBA")
            for column, level in enumerate(levels):
                part = shown.crop((column * SIDE, 0, (column + 1) * SIDE, SIDE))
                seen = np.asarray(part)
                np.testing.assert_array_equal(seen[..., 3], np.asarray(frame(level))[..., 3])
                assert {int(v) for v in seen[seen[..., 3] > 0][:, 0]} == {level}


@pytest.mark.parametrize("form", ["aseprite", "aseprite-hash"])
def test_aseprites_json_says_frames_times_and_tags(tmp_path: Path, form: str) -> None:
    sheet, atlas = read_atlas(tmp_path, form)

    frames = atlas["frames"] if form == "aseprite" else list(atlas["frames"].values())
    tags = {tag["name"]: tag for tag in atlas["meta"]["frameTags"]}
    assert list(tags) == ["front", "left", "walk front", "walk left", "slash left"]
    assert tags["slash left"]["repeat"] == "1"
    assert "repeat" not in tags["walk left"]
    found = {
        name: [
            (level_at(sheet, **_box(frames[k]["frame"])), frames[k]["duration"])
            for k in range(tag["from"], tag["to"] + 1)
        ]
        for name, tag in tags.items()
    }
    assert found["walk left"] == [(40, 120), (41, 120), (42, 120)]
    assert found["slash left"] == [(50, 80), (51, 80)]
    assert [level for level, _ in found["front"]] == [10]


def _box(place: dict[str, int]) -> dict[str, int]:
    return {"x": place["x"], "y": place["y"], "width": place["w"], "height": place["h"]}


def phaser_textures(atlas: Any) -> dict[str, Any]:
    """List a texture's frames as Phaser's parser of JSON arrays and hashes does."""
    if isinstance(atlas["frames"], list):
        return {each["filename"]: each for each in atlas["frames"]}
    return dict(atlas["frames"])


def phaser_animations(atlas: Any) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Follow createFromAseprite: a tag's frames are looked up by their numbers, as strings."""
    frames = atlas["frames"]
    for tag in atlas["meta"]["frameTags"]:
        steps = []
        for number in range(tag["from"], tag["to"] + 1):
            key = str(number)
            is_list = isinstance(frames, list)
            found = frames[int(key)] if is_list and int(key) < len(frames) else None
            found = found if is_list else frames.get(key)
            if found:
                steps.append((key, found["duration"]))
        yield tag["name"], steps


@pytest.mark.parametrize("form", ["phaser", "aseprite-hash"])
def test_phasers_create_from_aseprite_finds_every_frame(tmp_path: Path, form: str) -> None:
    sheet, atlas = read_atlas(tmp_path, form)

    textures = phaser_textures(atlas)
    animations = dict(phaser_animations(atlas))
    shown = [
        (level_at(sheet, **_box(textures[key]["frame"])), duration)
        for key, duration in animations["slash left"]
    ]
    assert shown == [(50, 80), (51, 80)]
    assert len(animations["walk front"]) == 3


def test_texturepackers_hash_names_every_frame(tmp_path: Path) -> None:
    sheet, atlas = read_atlas(tmp_path, "texturepacker")

    assert len(atlas["frames"]) == 10
    for name, level in (("front 0", 10), ("walk left 2", 42), ("slash left 1", 51)):
        entry = atlas["frames"][name]
        assert (entry["rotated"], entry["trimmed"]) == (False, False)
        assert entry["sourceSize"] == {"w": SIDE, "h": SIDE}
        assert entry["pivot"] == {"x": 0.5, "y": 1.0}
        assert level_at(sheet, **_box(entry["frame"])) == level


def parse_tres(text: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Parse a Godot text resource: (tag, its attributes, its properties) for each section."""
    sections = []
    for part in re.split(r"^(?=\[\w)", text, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("]\n")
        tag, *attributes = re.findall(r'\w+="(?:[^"\\]|\\.)*"|[^\s\[\]]+', heading)
        named = {
            key: ast.literal_eval(value) for key, value in (a.split("=", 1) for a in attributes)
        }
        properties = {}
        for key, value in re.findall(
            r"^(\w+) = (.*?)(?=^\w+ = |\Z)", body, re.DOTALL | re.MULTILINE
        ):
            value = re.sub(r'(Ext|Sub)Resource\("(\w+)"\)', r'("\1", "\2")', value)
            value = re.sub(r"Rect2\(([^)]*)\)", r"(\1)", value).replace('&"', '"')
            value = re.sub(r"\btrue\b", "True", re.sub(r"\bfalse\b", "False", value))
            properties[key] = ast.literal_eval(value.strip())
        sections.append((tag, named, properties))
    return sections


def test_godots_sprite_frames_are_a_resource_that_refers_to_the_sheet(tmp_path: Path) -> None:
    image, resource = write_animation(CLIPS, tmp_path / "hero", "godot")

    sheet = Image.open(image)
    heading, external, *textures, main = parse_tres(resource.read_text("utf-8"))
    assert heading[:2] == (
        "gd_resource",
        {"type": "SpriteFrames", "load_steps": len(textures) + 2, "format": 3},
    )
    assert external[:2] == (
        "ext_resource",
        {"type": "Texture2D", "path": "hero-sheet.png", "id": "1"},
    )
    regions = {}
    for tag, named, properties in textures:
        assert (tag, named["type"], properties["atlas"]) == (
            "sub_resource",
            "AtlasTexture",
            ("Ext", "1"),
        )
        regions[named["id"]] = properties["region"]
    assert main[0] == "resource"
    animations = {one["name"]: one for one in main[2]["animations"]}
    walk, slash = animations["walk_left"], animations["slash_left"]
    assert walk["speed"] == pytest.approx(1000 / 120, abs=1e-3)
    assert (walk["loop"], slash["loop"]) == (True, False)
    shown = [level_at(sheet, *regions[step["texture"][1]]) for step in walk["frames"]]
    assert shown == [40, 41, 42]
    assert {step["duration"] for step in walk["frames"]} == {1.0}


def test_every_format_writes_views_without_actions_too(tmp_path: Path) -> None:
    for form in FORMATS:
        paths = write_animation(CLIPS[:2], tmp_path / form, form)
        assert all(path.stat().st_size for path in paths)
