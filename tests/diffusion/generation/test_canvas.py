"""Images are generated at sizes that the base can generate, and scaled to those asked for."""

from __future__ import annotations

import pytest
from PIL import Image

from modelsheet.diffusion.generation.canvas import generation_size
from modelsheet.diffusion.generation.image_placement import scale_image
from modelsheet.diffusion.models.base_model import BaseModel


@pytest.mark.parametrize(
    ("requested", "generated"),
    [((0, 0), (64, 64)), ((64, 64), (64, 64)), ((1000, 500), (64, 64)), ((30, 10), (64, 64))],
)
def test_sizes_are_near_the_base_s_own(
    sd15: BaseModel, requested: tuple[int, int], generated: tuple[int, int]
) -> None:
    assert generation_size(sd15, *requested) == generated


def test_pixel_art_is_enlarged_by_whole_numbers(sd15: BaseModel) -> None:
    small = Image.new("RGB", (2, 1))
    small.putpixel((1, 0), (255, 0, 0))

    grown = scale_image(small, 6, 3, pixel_art=True)

    assert grown.getpixel((2, 0)) == (0, 0, 0)
    assert grown.getpixel((3, 2)) == (255, 0, 0)
