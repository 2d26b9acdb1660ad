"""What an autoencoder loses comes back where nothing changed, and only there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from modelsheet.imaging.residuals import add_residual, add_residual_by_colour

SKY, CYAN, RED = (90, 140, 200), (29, 240, 254), (200, 30, 20)
Pixels = npt.NDArray[np.float32]


def flat(colour: tuple[int, int, int], side: int = 20) -> Pixels:
    return np.full((side, side, 3), colour, np.float32)


def test_an_unchanged_picture_is_the_original_byte_for_byte() -> None:
    noise = np.random.default_rng(1)
    original = noise.integers(0, 256, (30, 40, 3)).astype(np.float32)
    reconstruction = noise.uniform(0, 255, original.shape).astype(np.float32)
    drift = noise.uniform(-0.2, 0.2, original.shape).astype(np.float32)

    for add in (add_residual, add_residual_by_colour):
        kept = add(reconstruction + drift, reconstruction, original)

        assert np.array_equal(kept.round(), original)


def test_what_is_newly_painted_is_the_decoder_s() -> None:
    changed = flat(CYAN)
    changed[5:15, 5:15] = RED

    for add in (add_residual, add_residual_by_colour):
        kept = add(changed, flat(CYAN), flat(SKY))

        assert np.abs(kept[5:15, 5:15] - RED).max() < 1
        assert np.abs(kept[:5] - SKY).max() < 1


def test_a_sky_painted_where_a_figure_was_has_the_sky_s_colour() -> None:
    original, reconstruction = flat(SKY), flat(CYAN)
    original[8:12, 8:12], reconstruction[8:12, 8:12] = RED, (255, 0, 0)

    kept = add_residual_by_colour(flat(CYAN), reconstruction, original)

    assert np.abs(kept - SKY).max() < 3


def test_a_small_change_is_added_to_the_original() -> None:
    kept = add_residual(flat(CYAN) - 6, flat(CYAN), flat(SKY))

    assert np.abs(kept - (flat(SKY) - 6)).max() < 0.01
