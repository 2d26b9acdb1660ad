"""One request, many pictures: each shot alone asks for exactly its picture again."""

from __future__ import annotations

from modelsheet.api.explore import Axis, Explore
from modelsheet.api.generate import GenerateRequest
from modelsheet.prompts.variations import plan


def test_pictures_differ_in_their_seed_which_wraps_around() -> None:
    request = GenerateRequest(prompt="a cat", count=3, seed=2**32 - 2)

    seeds = [shot.request.seed for shot in plan(request)]

    assert seeds == [2**32 - 2, 2**32 - 1, 0]


def test_a_shot_planned_again_is_itself() -> None:
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
        for shot in plan(request):
            (same,) = plan(shot.request)
            assert (same.request, same.prompt) == (shot.request, shot.prompt)


def test_a_grid_goes_row_by_row_with_its_values_as_labels() -> None:
    grid = Explore(
        across=Axis(name="text_encoder_scale", values=[0.0, 0.5]),
        down=Axis(name="unet_scale", values=[1.0, 0.2]),
    )

    shots = plan(GenerateRequest(prompt="a cat", seed=5, explore=grid))

    scales = [(shot.request.unet_scale, shot.request.text_encoder_scale) for shot in shots]
    assert scales == [(1.0, 0.0), (1.0, 0.5), (0.2, 0.0), (0.2, 0.5)]
    assert {shot.request.seed for shot in shots} == {5}
    assert shots[1].label == "UNet 1, text 0.5"


def test_poses_follow_the_prompt_and_keep_the_seed() -> None:
    shots = plan(GenerateRequest(prompt="@hero", poses=["asleep", "running"], count=2, seed=3))

    assert [(shot.prompt, shot.request.seed) for shot in shots] == [
        ("@hero, asleep", 3),
        ("@hero, asleep", 4),
        ("@hero, running", 3),
        ("@hero, running", 4),
    ]


def test_variations_keep_the_seed_and_count_their_own() -> None:
    request = GenerateRequest(
        prompt="a cat", count=2, seed=3, variation_strength=0.2, variation_seed=9
    )

    shots = [shot.request for shot in plan(request)]

    assert [(shot.seed, shot.variation_seed) for shot in shots] == [(3, 9), (3, 10)]
