"""Inpainting: not a byte outside of the mask changes, and inside the generated image shows."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from modelsheet.errors import InvalidImages
from modelsheet.imaging.inpainting import (
    InpaintingCrop,
    choose_crop,
    crop_image,
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


@pytest.mark.parametrize("pixel_art", [True, False])
@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("box", [(100, 50, 200, 150), (0, 0, 20, 20), (5, 5, 299, 199)])
def test_no_byte_outside_the_mask_changes(
    box: tuple[int, int, int, int], alone: bool, pixel_art: bool
) -> None:
    picture, mask = noise(), ellipse(box)
    crop = choose_crop(mask, sixty_four, with_context=not alone, pixel_art=pixel_art)
    painted = Image.new("RGB", crop.size, (10, 200, 30))

    result = paste_back(picture, painted, crop, mask, patch=False, pixel_art=pixel_art)

    before, after, share = np.asarray(picture), np.asarray(result), np.asarray(mask)
    middle = ((box[1] + box[3]) // 2, (box[0] + box[2]) // 2)
    assert np.array_equal(before[share == 0], after[share == 0])
    assert tuple(after[middle]) == (10, 200, 30, 255)


def test_a_patch_over_the_image_is_the_changed_image() -> None:
    picture, mask = noise().convert("RGB").convert("RGBA"), ellipse((100, 50, 200, 150))
    crop = choose_crop(mask, sixty_four, with_context=True, pixel_art=False)
    painted = noise(crop.size).convert("RGB")

    whole = paste_back(picture, painted, crop, mask, patch=False, pixel_art=False)
    patch = paste_back(picture, painted, crop, mask, patch=True, pixel_art=False)

    laid_over = Image.alpha_composite(picture, patch)
    difference = np.asarray(laid_over).astype(int) - np.asarray(whole).astype(int)
    assert np.abs(difference).max() <= 1
    assert not np.asarray(patch)[np.asarray(mask) == 0].any()


def test_pixel_art_goes_back_in_squares_of_whole_pixels() -> None:
    mask = ellipse((100, 50, 230, 180), blur=0)

    covering = choose_crop(mask, sixty_four, with_context=True, pixel_art=True)
    within = choose_crop(mask, sixty_four, with_context=False, pixel_art=True)

    assert covering.box[2] - covering.box[0] == 192
    assert within.box[2] - within.box[0] == 128


def test_context_is_cropped_too_and_the_border_repeated_beyond_the_image() -> None:
    picture = Image.new("RGBA", SIZE, (50, 60, 70, 255))
    crop = choose_crop(ellipse((0, 0, 80, 80), 0), sixty_four, with_context=True, pixel_art=False)
    beyond = InpaintingCrop((-20, -20, 44, 44), (64, 64))

    assert crop.box == (0, 0, 121, 121)
    assert set(crop_image(picture, beyond, (255, 255, 255)).get_flattened_data()) == {(50, 60, 70)}


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
