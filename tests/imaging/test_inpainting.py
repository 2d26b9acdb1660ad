"""Inpainting changes no byte outside of the selection, and shows the result inside."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from modelsheet.errors import InvalidImages
from modelsheet.imaging.inpainting import Place, cut_out, free_cells, mask_of, place_for, put_back

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
    place = place_for(mask, sixty_four, alone=alone, pixel_art=pixel_art)
    painted = Image.new("RGB", place.size, (10, 200, 30))

    result = put_back(picture, painted, place, mask, patch=False, pixel_art=pixel_art)

    before, after, share = np.asarray(picture), np.asarray(result), np.asarray(mask)
    middle = ((box[1] + box[3]) // 2, (box[0] + box[2]) // 2)
    assert np.array_equal(before[share == 0], after[share == 0])
    assert tuple(after[middle]) == (10, 200, 30, 255)


def test_a_patch_over_the_picture_is_the_changed_picture() -> None:
    picture, mask = noise().convert("RGB").convert("RGBA"), ellipse((100, 50, 200, 150))
    place = place_for(mask, sixty_four, alone=False, pixel_art=False)
    painted = noise(place.size).convert("RGB")

    whole = put_back(picture, painted, place, mask, patch=False, pixel_art=False)
    patch = put_back(picture, painted, place, mask, patch=True, pixel_art=False)

    laid_over = Image.alpha_composite(picture, patch)
    difference = np.asarray(laid_over).astype(int) - np.asarray(whole).astype(int)
    assert np.abs(difference).max() <= 1
    assert not np.asarray(patch)[np.asarray(mask) == 0].any()


def test_pixel_art_goes_back_in_squares_of_whole_pixels() -> None:
    mask = ellipse((100, 50, 230, 180), blur=0)

    covering = place_for(mask, sixty_four, alone=False, pixel_art=True)
    within = place_for(mask, sixty_four, alone=True, pixel_art=True)

    assert covering.box[2] - covering.box[0] == 192
    assert within.box[2] - within.box[0] == 128


def test_context_is_taken_from_around_and_beyond_the_edge_drawn_out() -> None:
    picture = Image.new("RGBA", SIZE, (50, 60, 70, 255))
    place = place_for(ellipse((0, 0, 80, 80), 0), sixty_four, alone=False, pixel_art=False)
    beyond = Place((-20, -20, 44, 44), (64, 64))

    assert place.box == (0, 0, 121, 121)
    assert set(cut_out(picture, beyond, (255, 255, 255)).get_flattened_data()) == {(50, 60, 70)}


def test_every_latent_under_the_selection_may_change() -> None:
    mask = Image.new("L", SIZE)
    mask.putpixel((8, 0), 1)
    place = Place((0, 0, 64, 64), (64, 64))

    free = free_cells(mask, place, 8)

    assert free.shape == (8, 8)
    assert np.argwhere(free).tolist() == [[0, 1]]


def test_an_empty_selection_and_one_of_other_bytes_are_refused() -> None:
    with pytest.raises(InvalidImages, match="The selection is empty"):
        mask_of(bytes(6), 3, 2)
    with pytest.raises(InvalidImages, match="has 6 bytes, but 5 came"):
        mask_of(bytes(5), 3, 2)
