"""The background of a cut-out is far from the subject's colours, unless the prompt names one."""

from __future__ import annotations

import pytest
from PIL import Image

from modelsheet.diffusion.generation.background_colour import backdrop_for, farthest


def figure(colour: tuple[int, int, int]) -> Image.Image:
    picture = Image.new("RGBA", (16, 16))
    picture.paste((*colour, 255), (4, 4, 12, 12))
    return picture


def test_a_green_figure_is_not_painted_on_green_nor_a_white_one_on_white() -> None:
    assert farthest([figure((10, 250, 10))]) not in ("green",)
    assert farthest([figure((250, 250, 250)), figure((0, 255, 0))]) not in ("white", "green")
    assert farthest([]) == "white"


def test_a_flat_background_in_the_prompt_is_kept() -> None:
    chosen = backdrop_for("qzw imp, on a magenta background", [], "sprite32")

    assert chosen is not None
    assert chosen.words == ""
    assert chosen.colour == (255, 0, 255)


@pytest.mark.parametrize("prompt", ["qzw imp, on grass floor", "qzw imp, on a starry background"])
def test_a_scene_cannot_be_cut_away(prompt: str) -> None:
    assert backdrop_for(prompt, [], "sprite32") is None


def test_otherwise_one_is_added_in_the_family_s_words() -> None:
    sprite = backdrop_for("qzw imp", [figure((255, 255, 255))], "sprite32")
    photo = backdrop_for("a photo of qzw imp", [], "sd15")

    assert sprite is not None
    assert sprite.words.startswith(", on a ")
    assert photo is not None
    assert photo.words == ", on a plain white background"
