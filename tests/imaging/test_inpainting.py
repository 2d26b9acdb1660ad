"""Inpainting: not a byte outside of the mask changes, and inside the generated image shows."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from modelsheet.errors import InvalidImages
from modelsheet.imaging.inpainting import (
    Box,
    InpaintingCrop,
    choose_crop,
    choose_pixel_art_crop,
    crop_box,
    latent_mask,
    paste_back,
    read_mask,
)

SIZE = (300, 200)


def ellipse(box: tuple[int, int, int, int], blur: int = 3) -> Image.Image:
    mask = Image.new("L", SIZE)
    ImageDraw.Draw(mask).ellipse(box, fill=255)
    return mask.filter(ImageFilter.GaussianBlur(blur)) if blur else mask


def noise(size: tuple[int, int] = SIZE) -> Image.Image:
    pixels = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    return Image.fromarray(pixels)


def sixty_four(width: int, height: int) -> tuple[int, int]:
    return 64, 64


@pytest.mark.parametrize("box", [(100, 50, 200, 150), (0, 0, 20, 20), (5, 5, 299, 199)])
def test_no_byte_outside_the_mask_changes(box: tuple[int, int, int, int]) -> None:
    picture, mask = noise(), ellipse(box)

    result = paste_back(picture, Image.new("RGBA", SIZE, (10, 200, 30)), mask, patch=False)

    before, after, share = np.asarray(picture), np.asarray(result), np.asarray(mask)
    middle = ((box[1] + box[3]) // 2, (box[0] + box[2]) // 2)
    assert np.array_equal(before[share == 0], after[share == 0])
    assert tuple(after[middle]) == (10, 200, 30, 255)


def test_a_patch_over_the_image_is_the_changed_image() -> None:
    picture, mask = noise().convert("RGB").convert("RGBA"), ellipse((100, 50, 200, 150))
    painted = noise().convert("RGB").convert("RGBA")

    whole = paste_back(picture, painted, mask, patch=False)
    patch = paste_back(picture, painted, mask, patch=True)

    laid_over = Image.alpha_composite(picture, patch)
    difference = np.asarray(laid_over).astype(int) - np.asarray(whole).astype(int)
    assert np.abs(difference).max() <= 1
    assert not np.asarray(patch)[np.asarray(mask) == 0].any()


@pytest.mark.parametrize(
    ("area", "pixel_size", "box", "size"),
    [
        # A little more than the base's resolution is painted pixel for pixel.
        ((40, 60, 69, 94), 1, (38, 57, 70, 97), (32, 40)),
        ((0, 0, 10, 10), 1, (0, 0, 32, 32), (32, 32)),
        # Pixels four px large stay on their grid.
        ((41, 61, 141, 161), 4, (24, 44, 152, 172), (32, 32)),
        # Too large an area, and no pixel art: the smallest whole factor.
        ((0, 0, 130, 100), 1, (0, 0, 160, 160), (32, 32)),
        ((100, 50, 230, 180), 0, (85, 35, 245, 195), (32, 32)),
    ],
)
def test_pixel_art_is_generated_in_squares_of_whole_pixels(
    area: Box, pixel_size: int, box: Box, size: tuple[int, int]
) -> None:
    crop = choose_pixel_art_crop(
        area, SIZE, resolution=32, longest=48, multiple=8, pixel_size=pixel_size
    )

    assert (crop.box, crop.size) == (box, size)


def test_context_is_cropped_too_and_the_border_repeated_beyond_the_image() -> None:
    picture = Image.new("RGBA", SIZE, (50, 60, 70, 255))
    crop = choose_crop((0, 0, 81, 81), SIZE, sixty_four)
    beyond = (-20, -20, 44, 44)

    repeated = crop_box(picture, beyond, repeat_border=True)
    open_ = crop_box(picture, beyond, repeat_border=False)

    assert crop.box == (0, 0, 121, 121)
    assert set(repeated.get_flattened_data()) == {(50, 60, 70, 255)}
    assert open_.getpixel((0, 0)) == (0, 0, 0, 0)


def test_every_latent_under_the_selection_may_change() -> None:
    mask = Image.new("L", SIZE)
    mask.putpixel((8, 0), 1)
    crop = InpaintingCrop((0, 0, 64, 64), (64, 64))

    latents = latent_mask(mask, crop, 8)

    assert latents.shape == (8, 8)
    assert np.argwhere(latents).tolist() == [[0, 1]]


def test_an_empty_selection_and_one_of_other_bytes_are_refused() -> None:
    with pytest.raises(InvalidImages, match="The selection is empty"):
        read_mask(bytes(6), 3, 2)
    with pytest.raises(InvalidImages, match="has 6 bytes, but 5 came"):
        read_mask(bytes(5), 3, 2)
