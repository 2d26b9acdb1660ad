"""The atlases of an animation follow the rules of the programs that load them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.plugin import conftest as _plugin_on_path  # noqa: F401

from modelsheet_krita.image import Image, to_qimage  # isort: skip
from modelsheet_krita.results import sprite_sheet  # isort: skip
from modelsheet_krita.results.sprite_sheet import Strip  # isort: skip

WIDTH, HEIGHT = 4, 6


def picture(level: int) -> Image:
    return Image("", WIDTH, HEIGHT, bytes((level, level, level, 255)) * (WIDTH * HEIGHT))


STRIPS = [
    Strip("walk", "front", [picture(10), picture(20), picture(30)], 100, True),
    Strip("walk", "left", [picture(40), picture(50), picture(60)], 100, True),
    Strip("slash", "front", [picture(70), picture(80)], 80, False),
]
LEVELS = {"walk front": [10, 20, 30], "walk left": [40, 50, 60], "slash front": [70, 80]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for engine in sprite_sheet.ATLASES:
        assert sprite_sheet.save(tmp_path / f"{engine}.png", STRIPS, engine) is None
    return tmp_path


def levels(boxes: list[tuple[int, int, int, int]]) -> list[int]:
    """The grey of each box of the sheet, which is one within it."""
    sheet = to_qimage(sprite_sheet.draw_sheet(STRIPS, ""))
    found = []
    for x, y, width, height in boxes:
        pixels = {
            sheet.pixelColor(column, row).red()
            for column in range(x, x + width)
            for row in range(y, y + height)
        }
        (level,) = pixels
        found.append(level)
    return found


def box(entry: dict[str, Any]) -> tuple[int, int, int, int]:
    frame = entry["frame"]
    return frame["x"], frame["y"], frame["w"], frame["h"]


def test_phaser_makes_an_animation_of_each_tag(folder: Path) -> None:
    """createFromAseprite: for each tag it takes the frames named by the numbers from … to."""
    atlas = json.loads((folder / "aseprite.json").read_text("utf-8"))
    named = {entry["filename"]: entry for entry in atlas["frames"]}

    found = {}
    for tag in atlas["meta"]["frameTags"]:
        frames = [named[str(number)] for number in range(tag["from"], tag["to"] + 1)]
        found[tag["name"]] = levels([box(one) for one in frames])
        assert tag["direction"] == "forward"
        assert {one["duration"] for one in frames} == {80 if tag.get("repeat") else 100}
    assert found == LEVELS


def test_texturepackers_hash_names_each_frame(folder: Path) -> None:
    atlas = json.loads((folder / "texturepacker.json").read_text("utf-8"))

    boxes = {name: box(entry) for name, entry in atlas["frames"].items()}
    assert levels([boxes["walk left 1"], boxes["slash front 0"]]) == [50, 70]
    assert len(boxes) == 8
    size = atlas["meta"]["size"]
    assert (size["w"], size["h"]) == (3 * WIDTH, 3 * HEIGHT)
    assert atlas["meta"]["image"] == "texturepacker.png"
    for entry in atlas["frames"].values():
        assert not entry["rotated"]
        assert entry["spriteSourceSize"]["w"] <= entry["sourceSize"]["w"]


def test_godot_finds_texture_regions_and_animations(folder: Path) -> None:
    text = (folder / "godot.tres").read_text("utf-8")
    head, *sections = re.findall(r"^\[(.+?)\]\n((?:(?!^\[\w+_?\w*[ \]]).*\n?)*)", text, re.M)
    kinds = [name.split()[0] for name, _ in sections]
    regions = {}
    for name, body in sections:
        if name.startswith("sub_resource"):
            found = re.search(r"Rect2\((\d+), (\d+), (\d+), (\d+)\)", body)
            assert found is not None
            assert 'atlas = ExtResource("1")' in body
            regions[re.search(r'id="(\w+)"', name)[1]] = tuple(map(int, found.groups()))

    assert head[0] == 'gd_resource type="SpriteFrames" load_steps=10 format=3'
    assert kinds == ["ext_resource", *["sub_resource"] * 8, "resource"]
    assert 'path="res://godot.png"' in sections[0][0]
    # Godot's own values are JSON but for resources and StringNames.
    value = sections[-1][1].split("animations = ")[1]
    value = re.sub(r'SubResource\("(\w+)"\)', r'"\1"', value).replace("&", "")
    animations = json.loads(value)
    assert [one["name"] for one in animations] == ["walk front", "walk left", "slash front"]
    assert [one["loop"] for one in animations] == [True, True, False]
    assert [one["speed"] for one in animations] == [10, 10, 12.5]
    slash = [regions[frame["texture"]] for frame in animations[2]["frames"]]
    assert levels(slash) == [70, 80]


@pytest.mark.parametrize("engine", sprite_sheet.ATLASES)
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "none" / "hero.png"

    assert sprite_sheet.save(path, STRIPS, engine) == path
