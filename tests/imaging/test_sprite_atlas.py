"""The atlas names, for every frame, exactly its pixels on the sheet."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from modelsheet.imaging.contact_sheet import draw_sprite_sheet
from modelsheet.imaging.sprite_alignment import align_sprites
from modelsheet.imaging.sprite_atlas import ATLAS_FORMATS, AtlasFormat, make_atlas

NAMES = ["walking 0", "walking 1", "asleep 0"]


def frames() -> list[Image.Image]:
    return [Image.new("RGBA", (8, 6), (level, 0, 0, 255)) for level in (10, 20, 30)]


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("style", ATLAS_FORMATS)
def test_each_frame_is_where_the_atlas_says(style: AtlasFormat, padding: int) -> None:
    sheet = draw_sprite_sheet(frames(), 2, padding)

    atlas = make_atlas(NAMES, (8, 6), 2, image="a.png", style=style, padding=padding)

    listed = atlas["frames"]
    keys = NAMES if style == "texturepacker" else ["0", "1", "2"]
    entries = listed if isinstance(listed, list) else [listed[key] for key in keys]
    for entry, frame in zip(entries, frames(), strict=True):
        place = entry["frame"]
        box = (place["x"], place["y"], place["x"] + place["w"], place["y"] + place["h"])
        assert np.array_equal(np.asarray(sheet.crop(box)), np.asarray(frame))
    assert (atlas["meta"]["size"]["w"], atlas["meta"]["size"]["h"]) == sheet.size
    assert atlas["meta"]["image"] == "a.png"


def test_aseprite_s_tags_say_which_frames_are_one_action() -> None:
    atlas = make_atlas(NAMES, (8, 6), 3, image="a.png", style="aseprite", frame_ms=50)

    tags = [(tag["name"], tag["from"], tag["to"]) for tag in atlas["meta"]["frameTags"]]
    assert tags == [("walking", 0, 1), ("asleep", 2, 2)]
    assert {frame["duration"] for frame in atlas["frames"]} == {50}
    # Phaser looks for a tag's frames by their numbers.
    assert [frame["filename"] for frame in atlas["frames"]] == ["0", "1", "2"]


def figure(box: tuple[int, int, int, int], weapon: tuple[int, int, int, int] | None = None):
    picture = Image.new("RGBA", (32, 32))
    picture.paste((9, 9, 9, 255), box)
    if weapon:
        picture.paste((200, 9, 9, 255), weapon)
    return picture


def test_poses_stand_on_one_line_with_their_bodies_in_one_column() -> None:
    poses = [
        figure((4, 2, 14, 28)),
        figure((18, 6, 28, 32), weapon=(0, 10, 18, 12)),
        figure((10, 0, 20, 20)),
    ]

    aligned = align_sprites(poses)

    bodies = [np.argwhere(np.asarray(each)[..., :2].sum(-1) == 18) for each in aligned]
    assert len({each.size for each in aligned}) == 1
    assert {int(body[:, 0].max()) for body in bodies} == {int(bodies[0][:, 0].max())}
    assert max(abs(body[:, 1].min() - bodies[0][:, 1].min()) for body in bodies) <= 2
    for before, after in zip(poses, aligned, strict=True):
        assert (np.asarray(before)[..., 3] > 0).sum() == (np.asarray(after)[..., 3] > 0).sum()


def test_an_empty_pose_is_an_empty_frame() -> None:
    aligned = align_sprites([figure((4, 2, 14, 28)), Image.new("RGBA", (32, 32))])

    assert aligned[1].getbbox() is None
    assert align_sprites([Image.new("RGBA", (3, 3))])[0].size == (3, 3)
