"""Images are generated at sizes that the base can generate, and scaled to those asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from modelsheet.api.generate import GenerateRequest, MaskRef
from modelsheet.api.types import ImageRef
from modelsheet.diffusion.generation.canvas import (
    Canvas,
    generation_size,
    make_canvas,
    wants_figure_alone,
)
from modelsheet.diffusion.generation.image_placement import scale_image
from modelsheet.diffusion.models.base_model import BaseModel
from tests.diffusion.training.test_learning_session import Context


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


SIZE = (96, 80)
Prepare = Callable[..., Canvas]


def scene() -> Image.Image:
    noise = np.random.default_rng(2).integers(0, 256, (*SIZE[::-1], 4), dtype=np.uint8)
    noise[..., 3] = 255
    return Image.fromarray(noise)


def on(colour: tuple[int, int, int, int]) -> Image.Image:
    picture = Image.new("RGBA", SIZE, colour)
    picture.paste((30, 90, 160, 255), (30, 20, 60, 70))
    return picture


@pytest.fixture
def prepared(sd15: BaseModel, data_dir: Path) -> Prepare:
    context = Context(data_dir, "ee")

    def make(picture: Image.Image, *box: int, **fields: object) -> Canvas:
        if box:
            mask = Image.new("L", SIZE)
            ImageDraw.Draw(mask).rectangle(box, fill=255)
            blob = context.write_blob(mask.tobytes())
            fields["mask"] = MaskRef(blob=blob, width=SIZE[0], height=SIZE[1])
        request = GenerateRequest(prompt="an imp", init_image=context.send(picture))
        return make_canvas(sd15, request.model_copy(update=fields), context)

    return make


@pytest.mark.parametrize("ground", [(0, 0, 0, 0), (250, 250, 250, 255)])
def test_without_background_begins_with_the_figure(
    prepared: Prepare, ground: tuple[int, int, int, int]
) -> None:
    for box in ((), (20, 10, 70, 75)):
        canvas = prepared(on(ground), *box, transparent=True, strength=0.5)

        assert canvas.is_figure
        assert canvas.init_image is not None
        assert canvas.init_image.getchannel("A").getbbox() == (30, 20, 60, 70)
        assert canvas.strength == 0.5


@pytest.mark.parametrize("strength", [0.5, 1.0, None])
@pytest.mark.parametrize("picture", [scene(), Image.new("RGBA", SIZE, (90, 140, 200, 255))])
def test_a_selection_without_a_figure_gets_a_new_one(
    prepared: Prepare, picture: Image.Image, strength: float | None
) -> None:
    canvas = prepared(picture, 20, 10, 49, 59, transparent=True, strength=strength)

    assert canvas.init_image is None
    assert canvas.figure_box == (20, 10, 50, 60)
    assert (canvas.size, canvas.strength) == ((64, 64), 1.0)
    is_unheeded = strength == 0.5 and picture.getpixel((0, 0)) == scene().getpixel((0, 0))
    assert bool(canvas.warnings) == is_unheeded


def test_a_scene_without_a_selection_keeps_its_background(prepared: Prepare) -> None:
    canvas = prepared(scene(), transparent=True, strength=0.5)

    assert canvas.keeps_scenery
    assert canvas.init_image is canvas.picture


def test_scenery_in_the_prompt_and_the_matting_model_take_the_scene(prepared: Prepare) -> None:
    asked = prepared(scene(), 20, 10, 49, 59, transparent=True, prompt="an imp on grass floor")
    matted = prepared(scene(), 20, 10, 49, 59, transparent=True, cutout="matting")

    for canvas in (asked, matted):
        assert canvas.init_image is canvas.picture
        assert canvas.figure_box is None


@pytest.mark.parametrize(
    ("fields", "is_alone"),
    [({}, True), ({"strength": 0.3}, False), ({"prompt": "an imp on grass floor"}, False)],
)
def test_a_sprite_model_fills_a_selection_with_a_figure_not_with_a_square(
    sd15: BaseModel, fields: dict[str, object], is_alone: bool
) -> None:
    image = ImageRef(blob="0" * 64, width=96, height=80)
    mask = MaskRef(blob="0" * 64, width=96, height=80)
    request = GenerateRequest(prompt="an imp", init_image=image, mask=mask).model_copy(
        update=fields
    )

    assert wants_figure_alone(replace(sd15, family="sprite32"), request) is is_alone
    assert not wants_figure_alone(sd15, request)


@pytest.mark.parametrize(
    ("side", "with_picture", "size"),
    [
        ({"width": 512}, False, (512, 512)),
        ({"height": 64}, False, (64, 64)),
        ({"width": 192}, True, (192, 160)),
        ({"height": 40}, True, (48, 40)),
        ({}, True, SIZE),
    ],
)
def test_a_side_left_open_keeps_the_proportions(
    sd15: BaseModel, data_dir: Path, side: dict[str, int], with_picture: bool, size: tuple[int, int]
) -> None:
    context = Context(data_dir, "ee")
    init_image = context.send(scene()) if with_picture else None
    request = GenerateRequest(prompt="a cat", init_image=init_image).model_copy(update=side)

    assert make_canvas(sd15, request, context).result_size == size
