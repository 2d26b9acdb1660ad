"""Views are told from names, frames keep their times, and own motions are found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin import conftest as _plugin_on_path  # noqa: F401

from modelsheet_krita.animation import frame_times, own_motions  # isort: skip
from modelsheet_krita.animation.own_motions import OwnMotions  # isort: skip
from modelsheet_krita.errors import BadInput  # isort: skip
from modelsheet_krita.image import Image  # isort: skip
from modelsheet_krita.view_names import guess_views, view_in, without_view  # isort: skip

FIGURE = Image("", 2, 1, bytes(4) + b"\x80\x80\x80\xff")


@pytest.mark.parametrize(
    ("name", "view"),
    {
        "front": "front",
        "Hero, left": "left",
        "hero_back_v2": "back",
        "heroRight": "right",
        "HERO BACK": "back",
        "Вид сзади": "back",
        "рыцарь слева": "left",
        "walk-down": "front",
        "Background": "",
        "leftover": "",
        "Слой 1": "",
        "": "",
    }.items(),
)
def test_a_view_is_read_from_a_name(name: str, view: str) -> None:
    assert view_in(name) == view


def test_a_view_is_guessed_once_and_front_first() -> None:
    assert guess_views(["hero"]) == ["front"]
    assert guess_views(["hero", "hero left"]) == ["front", "left"]
    assert guess_views(["hero front", "armour"]) == ["front", "left"]
    assert guess_views(["back", "back of the hero", "x", "y"]) == ["back", "front", "left", "right"]


@pytest.mark.parametrize(
    ("name", "rest"),
    {
        "Hero front": "Hero",
        "Sir Gawain (left)": "Sir Gawain",
        "front": "",
        "герой": "герой",
    }.items(),
)
def test_a_character_is_named_without_its_view(name: str, rest: str) -> None:
    assert without_view(name) == rest


def test_frames_keep_their_times() -> None:
    assert frame_times.key_times(4, 100, 10) == [0, 1, 2, 3, 4]
    assert frame_times.key_times(4, 100, 24) == [0, 2, 5, 7, 10]
    assert frame_times.key_times(3, 10, 12) == [0, 1, 2, 3]  # no two frames at one time


def test_the_exact_rate_divides_all_durations() -> None:
    assert frame_times.exact_rate([100, 100]) == 10
    assert frame_times.exact_rate([100, 80]) == 50
    assert frame_times.exact_rate([1]) == 60
    assert frame_times.exact_rate([0]) == 10


def test_a_motion_is_found_again(tmp_path: Path) -> None:
    saved = OwnMotions(tmp_path / "new").save("Танец", "left", 80, [FIGURE, FIGURE])

    assert OwnMotions(tmp_path / "new").all() == [saved]
    assert saved.name.startswith("motion-")
    assert OwnMotions(tmp_path / "none").all() == []


def test_a_motion_of_the_same_name_and_view_is_replaced(tmp_path: Path) -> None:
    motions = OwnMotions(tmp_path)
    motions.save("Dance!", "left", 80, [FIGURE])
    motions.save("Dance!", "front", 80, [FIGURE])

    later = motions.save("Dance!", "left", 90, [FIGURE, FIGURE])

    assert later.name == "dance"
    assert {(one.name, one.view, one.frame_ms) for one in motions.all()} == {
        ("dance", "left", 90),
        ("dance", "front", 80),
    }


@pytest.mark.parametrize("content", ["", "{}", '{"figures": [{"width": 9e9, "height": 1}]}'])
def test_a_damaged_motion_is_left_out(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.motion.json").write_text(content, encoding="utf-8")

    assert OwnMotions(tmp_path).all() == []


def test_a_motion_that_cannot_be_written_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(BadInput, match="cannot be written"):
        OwnMotions(tmp_path / "file").save("dance", "left", 80, [FIGURE])


def test_figures_are_checked() -> None:
    opaque = Image("", 1, 1, b"\x80\x80\x80\xff")

    assert own_motions.check_figures([FIGURE]) == ""
    assert own_motions.check_figures([FIGURE] * 65).startswith("These are 65 frames")
    assert own_motions.check_figures([opaque]).startswith("A figure has no transparency")
    large = Image("", 1025, 1, bytes(4 * 1025))
    assert own_motions.check_figures([large]).startswith("The figures are 1025 pixels large")
