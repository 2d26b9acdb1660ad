"""One request, many images: each image's own request asks for exactly that image again."""

from __future__ import annotations

from modelsheet.api.explore import Axis, Explore
from modelsheet.api.generate import GenerateRequest
from modelsheet.prompts.image_requests import image_requests


def test_images_differ_in_their_seed_which_wraps_around() -> None:
    request = GenerateRequest(prompt="a cat", count=3, seed=2**32 - 2)

    seeds = [image.request.seed for image in image_requests(request)]

    assert seeds == [2**32 - 2, 2**32 - 1, 0]


def test_an_image_request_split_again_is_itself() -> None:
    grid = Explore(
        across=Axis(name="seed", values=[4.0, 5.0]),
        down=Axis(name="inference_steps", values=[2.0, 3.0]),
    )
    requests = [
        GenerateRequest(prompt="a {red|blue|green} cat", count=2, seed=7),
        GenerateRequest(prompt="a cat", poses=["asleep", "in {mud|snow}"], count=2),
        GenerateRequest(prompt="a cat", explore=grid),
        GenerateRequest(prompt="a cat", count=2, variation_strength=0.5),
    ]

    for request in requests:
        for image in image_requests(request):
            (same,) = image_requests(image.request)
            assert (same.request, same.prompt) == (image.request, image.prompt)


def test_a_grid_goes_row_by_row_with_its_values_as_labels() -> None:
    grid = Explore(
        across=Axis(name="text_encoder_scale", values=[0.0, 0.5]),
        down=Axis(name="unet_scale", values=[1.0, 0.2]),
    )

    images = image_requests(GenerateRequest(prompt="a cat", seed=5, explore=grid))

    scales = [(image.request.unet_scale, image.request.text_encoder_scale) for image in images]
    assert scales == [(1.0, 0.0), (1.0, 0.5), (0.2, 0.0), (0.2, 0.5)]
    assert {image.request.seed for image in images} == {5}
    assert images[1].label == "UNet 1, text 0.5"


def test_poses_follow_the_prompt_and_keep_the_seed() -> None:
    images = image_requests(
        GenerateRequest(prompt="@hero", poses=["asleep", "running"], count=2, seed=3)
    )

    assert [(image.prompt, image.request.seed) for image in images] == [
        ("@hero, asleep", 3),
        ("@hero, asleep", 4),
        ("@hero, running", 3),
        ("@hero, running", 4),
    ]


def test_variations_keep_the_seed_and_count_their_own() -> None:
    request = GenerateRequest(
        prompt="a cat", count=2, seed=3, variation_strength=0.2, variation_seed=9
    )

    images = [image.request for image in image_requests(request)]

    assert [(image.seed, image.variation_seed) for image in images] == [(3, 9), (3, 10)]
