"""A sheet of eight poses, written by the command line's own code, is an animation in a real
Krita.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from modelsheet.api.generate_result import GeneratedImage, GenerateResult
from modelsheet.cli.generate import write_sheet
from modelsheet.imaging.contact_sheet import draw_sprite_sheet
from modelsheet.imaging.sprite_alignment import align_sprites
from tests.krita.conftest import Play

POSES = 8
COLUMNS = 4


def pose(number: int) -> Image.Image:
    """A figure that is higher, and elsewhere, from pose to pose."""
    picture = Image.new("RGBA", (32, 32))
    picture.paste((200, 60, 30, 255), (4 + number, 3 + number, 20, 25 + number % 3))
    return picture


def result(count: int) -> GenerateResult:
    images = [
        GeneratedImage(
            blob="0" * 64, width=32, height=32, seed=0, prompt="@hero", label=f"pose {number}"
        )
        for number in range(count)
    ]
    return GenerateResult(images=images, columns=COLUMNS)


def test_eight_poses_load_as_an_animation_and_match_their_atlas(play: Play, tmp_path: Path) -> None:
    frames = align_sprites([pose(number) for number in range(POSES)])
    write_sheet(
        result(POSES),
        frames,
        draw_sprite_sheet(frames, COLUMNS),
        tmp_path / "hero",
        argparse.Namespace(atlas="aseprite", frame_ms=100, padding=0),
    )
    document = str(tmp_path / "hero-sheet.ora")

    report = play("animation", runner="", environment={"ANIMATION_DOCUMENT": document}).report

    assert report["key_frames"] == [True] * POSES + [False]
    alpha = [np.asarray(frame)[..., 3].tobytes().hex() for frame in frames]
    assert report["alpha"] == alpha
    sheet = Image.open(tmp_path / "hero-sheet.png")
    atlas = json.loads((tmp_path / "hero-sheet.json").read_text("utf-8"))
    for entry, frame in zip(atlas["frames"], frames, strict=True):
        place = entry["frame"]
        cut = sheet.crop((place["x"], place["y"], place["x"] + 32, place["y"] + 32))
        assert np.array_equal(np.asarray(cut), np.asarray(frame))


COLOURS = ("RGBA-U8", "RGBA-U16", "GRAYA-U8")


def test_results_become_the_frames_of_one_animated_layer(play: Play) -> None:
    report = play("frames", runner="", environment={"FRAMES_COLOURS": " ".join(COLOURS)}).report

    for colours in COLOURS:
        told = report[colours]
        assert told["layer"] == ["walk", "paintlayer", True]
        assert told["keys"] == [True] * 4 + [False]
        assert told["native"]
        assert [width for _, width in told["frames"]] == [100] * 4
        assert told["on the canvas"]
        assert told["made active"]
        assert told["selection"] == [20, 30, 40, 50]
        assert told["zoom kept"]
        assert told["time kept"]
        assert told["undone in one step"]
    assert [level for level, _ in report["RGBA-U8"]["frames"]] == [50, 100, 150, 200]
    assert report["documents"] == 0
