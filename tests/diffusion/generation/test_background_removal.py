"""What is said of a background that could not be removed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelsheet.diffusion.generation.background_colour import FlatBackground
from modelsheet.diffusion.generation.background_removal import BackgroundRemover

WHITE = FlatBackground(", on a white background", (255, 255, 255))


def figure_on(background: np.ndarray) -> Image.Image:
    """Draw a blue figure of 12 x 24 pixels into the middle, down to the lower edge."""
    pixels = background.astype(np.uint8).copy()
    pixels[8:, 10:22] = (20, 40, 160)
    return Image.fromarray(pixels)


def flat() -> np.ndarray:
    return np.full((32, 32, 3), 250)


def noise() -> np.ndarray:
    return np.random.default_rng(1).integers(60, 160, (32, 32, 3))


def half_noise() -> np.ndarray:
    """White above, ground of noise that reaches up to the figure's head."""
    return np.concatenate([flat()[:14], noise()[14:]])


@pytest.mark.parametrize(
    ("background", "is_said"), [(flat, False), (noise, True), (half_noise, True)]
)
def test_a_background_that_stays_is_said(tmp_path: Path, background: object, is_said: bool) -> None:
    remover = BackgroundRemover(tmp_path)
    assert callable(background)

    remover.remove(figure_on(background()), WHITE, "keying", hard_edge=True)

    assert any("a part of it was left" in each for each in remover.warnings) == is_said
