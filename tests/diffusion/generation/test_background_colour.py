"""The background of a cut-out is far from the subject's colours, unless the prompt names one."""

from __future__ import annotations

import pytest
from PIL import Image

from modelsheet.diffusion.generation.background_colour import (
    choose_background,
    most_distinct_background,
)


def figure(colour: tuple[int, int, int]) -> Image.Image:
    picture = Image.new("RGBA", (16, 16))
    picture.paste((*colour, 255), (4, 4, 12, 12))
    return picture


def test_a_green_figure_gets_no_green_background_nor_a_white_one_a_white() -> None:
    assert most_distinct_background([figure((10, 250, 10))]) not in ("green",)
    assert most_distinct_background([figure((250, 250, 250)), figure((0, 255, 0))]) not in (
        "white",
        "green",
    )
    assert most_distinct_background([]) == "white"


def test_a_flat_background_in_the_prompt_is_kept() -> None:
    chosen = choose_background("qzw imp, on a magenta background", [], "sprite32")

    assert chosen is not None
    assert chosen.prompt_suffix == ""
    assert chosen.colour == (255, 0, 255)


@pytest.mark.parametrize("prompt", ["qzw imp, on grass floor", "qzw imp, on a starry background"])
def test_scenery_cannot_be_keyed(prompt: str) -> None:
    assert choose_background(prompt, [], "sprite32") is None


def test_otherwise_one_is_added_in_the_family_s_words() -> None:
    sprite = choose_background("qzw imp", [figure((255, 255, 255))], "sprite32")
    photo = choose_background("a photo of qzw imp", [], "sd15")

    assert sprite is not None
    assert sprite.prompt_suffix.startswith(", on a ")
    assert photo is not None
    assert photo.prompt_suffix == ", on a plain white background"
