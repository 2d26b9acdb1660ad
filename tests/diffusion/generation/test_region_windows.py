"""Regions of one canvas: each has a window of about the base's resolution."""

from __future__ import annotations

import numpy as np
from PIL import Image

from modelsheet.diffusion.generation.region_windows import plan_regions


def mask(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    image = Image.new("L", size)
    image.paste(255, box)
    return image


def test_two_halves_are_two_windows_of_the_base_s_size_side_by_side() -> None:
    halves = [mask((64, 32), (0, 0, 32, 32)), mask((64, 32), (32, 0, 64, 32))]

    canvas = plan_regions(halves, resolution=32, multiple=8, latent_factor=2)

    assert canvas.size == (64, 32)
    windows = [region.window for region in canvas.regions]
    assert windows == [(slice(0, 16), slice(0, 16)), (slice(0, 16), slice(16, 32))]
    assert all(region.weight[region.window].min() == 1.0 for region in canvas.regions)
    assert not canvas.background.any()


def test_a_large_canvas_is_small_enough_for_its_largest_region() -> None:
    masks = [mask((900, 600), (100, 100, 400, 400)), mask((900, 600), (600, 300, 700, 500))]

    canvas = plan_regions(masks, resolution=32, multiple=8, latent_factor=2)

    assert canvas.size == (96, 64)
    covered = np.zeros_like(canvas.background)
    for region in canvas.regions:
        rows, columns = region.window
        assert region.weight.shape == (32, 48)
        assert 16 <= rows.stop - rows.start <= 20
        assert 16 <= columns.stop - columns.start <= 20
        assert region.weight.max() == 1.0
        assert region.weight[region.window].sum() == region.weight.sum()
        covered[region.window] += region.weight[region.window]
    np.testing.assert_allclose(np.minimum(covered, 1) + canvas.background, 1, atol=1e-6)


def test_a_region_of_less_than_a_latent_still_has_a_window() -> None:
    canvas = plan_regions(
        [mask((512, 512), (0, 0, 512, 512)), mask((512, 512), (500, 500, 501, 501))],
        resolution=32,
        multiple=8,
        latent_factor=2,
    )

    assert canvas.regions[1].window == (slice(0, 16), slice(0, 16))
