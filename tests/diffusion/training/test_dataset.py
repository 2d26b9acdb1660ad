"""From layers to latents: what is cropped, scaled, masked and refused."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from PIL import Image

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.training.aspect_buckets import bucket_for, buckets
from modelsheet.diffusion.training.augmentation import augmented_images, flat_background
from modelsheet.diffusion.training.dataset import (
    MASK_FLOOR,
    encode_instances,
    fit,
    looks_like_pixel_art,
    loss_mask,
    prepare_pictures,
    warnings_for,
)
from modelsheet.errors import InvalidImages
from modelsheet.prompts.captions import FLAT_BACKGROUNDS, PromptTemplate

NAMING = PromptTemplate("qzw", "imp", "sd15")


def test_an_empty_picture_is_refused_by_its_number(sd15: BaseModel) -> None:
    seen = Image.new("RGBA", (40, 40), (255, 0, 0, 255))

    with pytest.raises(InvalidImages, match="Picture 2 of 2 is empty"):
        prepare_pictures([seen, Image.new("RGBA", (40, 40))], sd15)


def test_what_lies_under_transparency_does_not_change_what_is_learnt(sd15: BaseModel) -> None:
    clean = Image.new("RGBA", (48, 48))
    clean.paste((200, 60, 30, 255), (12, 10, 30, 44))
    pixels = np.array(clean)
    hidden = pixels[..., 3] == 0
    pixels[hidden, :3] = np.random.default_rng(0).integers(0, 256, (hidden.sum(), 3))
    dirty = Image.fromarray(pixels)

    from_clean, from_dirty = (
        encode_instances(prepare_pictures([picture], sd15), [""], NAMING, sd15)
        for picture in (clean, dirty)
    )

    for one, other in zip(from_clean, from_dirty, strict=True):
        assert torch.equal(one.latents, other.latents)
        assert torch.equal(one.mask, other.mask)


def test_pixel_art_grows_by_whole_numbers_only() -> None:
    picture = Image.new("RGBA", (16, 20))
    picture.putpixel((8, 10), (255, 0, 0, 255))

    grown = fit(picture, 64, 64, at_bottom=False)

    alpha = np.asarray(grown.getchannel("A"))
    assert grown.size == (64, 64)
    assert (alpha > 0).sum() == 9  # three times, not 3.2


def test_a_sprite_of_the_base_s_size_is_learnt_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 4, (32, 32, 4), dtype=np.uint8) * 80
    picture = Image.fromarray(pixels)

    assert np.array_equal(np.asarray(fit(picture, 32, 32, at_bottom=True)), pixels)


def test_a_smaller_sprite_stands_on_the_ground() -> None:
    picture = Image.new("RGBA", (10, 20), (200, 0, 0, 255))

    box = fit(picture, 32, 32, at_bottom=True).getchannel("A").getbbox()

    assert box == (11, 12, 21, 32)


def test_photographs_are_no_pixel_art() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 4), dtype=np.uint8)

    assert not looks_like_pixel_art(Image.fromarray(noise))


def test_pictures_of_one_frame_are_cropped_alike(sd15: BaseModel) -> None:
    left, right = (Image.new("RGBA", (400, 400)) for _ in range(2))
    left.paste((255, 0, 0, 255), (100, 100, 150, 200))
    right.paste((255, 0, 0, 255), (150, 100, 200, 200))

    prepared = prepare_pictures([left, right], sd15)

    solid = [np.asarray(picture.getchannel("A")).max(axis=0) > 127 for picture in prepared]
    right_end, left_end = int(solid[0].nonzero()[0][-1]), int(solid[1].nonzero()[0][0])
    assert left_end - right_end == 1  # still side by side


def test_the_mask_is_never_zero_and_one_on_the_figure() -> None:
    picture = Image.new("RGBA", (64, 64))
    picture.paste((255, 0, 0, 255), (24, 24, 40, 40))

    mask = loss_mask(picture.getchannel("A"), 8)

    assert mask.shape == (1, 8, 8)
    assert float(mask.min()) == pytest.approx(MASK_FLOOR)
    assert float(mask[0, 3, 3]) == 1.0
    assert float(mask[0, 2, 2]) == 1.0  # grown by one, so that thin parts count


def test_what_lies_under_transparency_is_not_learnt(
    sd15: BaseModel, pictures: list[Image.Image]
) -> None:
    pixels = np.array(pictures[0])
    pixels[pixels[..., 3] == 0] = (123, 45, 67, 0)
    hidden = prepare_pictures([Image.fromarray(pixels)], sd15)
    plain = prepare_pictures([pictures[0]], sd15)

    one = encode_instances(hidden, [""], NAMING, sd15)
    other = encode_instances(plain, [""], NAMING, sd15)

    assert all(torch.equal(a.latents, b.latents) for a, b in zip(one, other, strict=True))


def test_each_background_is_named_in_its_prompt(
    sd15: BaseModel, pictures: list[Image.Image]
) -> None:
    prepared = prepare_pictures(pictures[:1], sd15)

    instances = encode_instances(prepared, ["holding lamp"], NAMING, sd15)

    assert [instance.prompt for instance in instances] == [
        f"a photo of qzw imp, holding lamp, on a plain {name} background"
        for name in FLAT_BACKGROUNDS
    ]


def test_a_photograph_is_learnt_with_its_background_whole_and_in_crops(sd15: BaseModel) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (96, 96, 4), dtype=np.uint8)
    noise[..., 3] = 255
    photograph = prepare_pictures([Image.fromarray(noise)], sd15)

    instances = encode_instances(photograph, [""], NAMING, sd15)

    assert [instance.prompt for instance in instances] == ["a photo of qzw imp"] * 4
    assert len({float(instance.latents.sum()) for instance in instances}) == 4
    assert all(float(instance.mask.min()) == 1.0 for instance in instances)
    assert "background is learnt too: picture 1" in warnings_for(photograph)[0]


@pytest.mark.parametrize(("level", "name"), [(250, "white"), (133, "grey"), (60, None)])
def test_a_flat_background_is_named_where_it_is_known(level: int, name: str | None) -> None:
    picture = Image.new("RGB", (64, 64), (level, level, level))
    picture.paste((200, 30, 30), (10, 10, 50, 50))

    assert flat_background(picture) == name


def test_a_figure_moves_in_its_frame_and_nothing_of_it_is_cut(
    sd15: BaseModel, pictures: list[Image.Image]
) -> None:
    picture = prepare_pictures(pictures[:1], sd15)[0]

    augmented = list(augmented_images(picture, 0, 6, random.Random(0), geometric=True))

    alphas = [np.asarray(each.alpha) for each in augmented]
    assert {each.background for each in augmented} == set(FLAT_BACKGROUNDS)
    assert len({int(alpha.sum()) for alpha in alphas}) == 1
    assert len({each.alpha.getbbox() for each in augmented}) > 1


def test_a_flip_mirrors_the_mask_with_the_picture(
    sd15: BaseModel, pictures: list[Image.Image]
) -> None:
    prepared = prepare_pictures(pictures[:1], sd15)

    plain = encode_instances(prepared, [""], NAMING, sd15)
    flipped = encode_instances(prepared, [""], NAMING, sd15, flip=True)

    assert len(flipped) == 2 * len(plain)
    assert torch.equal(flipped[1].mask, flipped[0].mask.flip(-1))
    assert not torch.equal(flipped[1].mask, flipped[0].mask)


def test_pictures_fall_into_the_bucket_of_their_proportions(sdxl: BaseModel) -> None:
    assert buckets(sdxl) == [(32, 96), (64, 64), (96, 32)]
    assert bucket_for((700, 800), sdxl) == (64, 64)
    assert bucket_for((100, 400), sdxl) == (32, 96)


def test_a_tall_figure_is_seen_whole_and_a_tall_photograph_fills_its_bucket(
    sdxl: BaseModel,
) -> None:
    figure = Image.new("RGBA", (300, 1000))
    figure.paste((9, 99, 9, 255), (20, 20, 280, 980))
    photograph = Image.new("RGBA", (300, 1000), (9, 99, 9, 255))

    tall = prepare_pictures([figure], sdxl)[0]
    full = prepare_pictures([photograph], sdxl)[0]

    assert tall.size == full.size == (32, 96)
    assert tall.getchannel("A").getextrema() == (0, 255)
    assert full.getchannel("A").getextrema() == (255, 255)


def test_near_duplicates_are_reported(sd15: BaseModel, pictures: list[Image.Image]) -> None:
    prepared = prepare_pictures([pictures[0], pictures[2], pictures[0]], sd15)

    assert warnings_for(prepared) == [
        "Nearly the same as an earlier picture, so that it adds little: 3."
    ]


def test_forty_equal_frames_get_one_sentence(sd15: BaseModel, pictures: list[Image.Image]) -> None:
    prepared = prepare_pictures([pictures[0]] * 40, sd15)

    [warning] = warnings_for(prepared)
    assert warning.startswith("Nearly the same as an earlier picture")
    assert warning.endswith(" 2, 3, " + ", ".join(map(str, range(4, 41))) + ".")
