"""Drawings of characters for the tests: a mannequin in few colours."""

from __future__ import annotations

import numpy as np
from PIL import Image

from modelsheet.motion.figures.mannequin_archive import embedded_mannequins

COLOURS = np.array([[40, 20, 60], [200, 60, 40], [240, 200, 150], [250, 240, 230]], np.uint8)


def figure(view: str = "front", body: str = "male") -> Image.Image:
    """Draw a standing character on 64 × 64: red above the belt, of other shades below."""
    picture = embedded_mannequins().figure(body).standing(view).copy()
    shade = picture[..., 0] // 64
    shade[:, 30:33] = np.minimum(shade[:, 30:33], 2)
    picture[..., :3] = COLOURS[shade]
    picture[40:, :, 2] ^= 64
    picture[picture[..., 3] == 0] = 0
    return Image.fromarray(picture)


def scaled(image: Image.Image, times: float) -> Image.Image:
    """Resize by repeating or leaving out pixels."""
    size = round(image.width * times), round(image.height * times)
    return image.resize(size, Image.Resampling.NEAREST)


def colours_of(image: Image.Image) -> set[tuple[int, ...]]:
    """List the colours that can be seen."""
    pixels = np.asarray(image.convert("RGBA")).reshape(-1, 4)
    return {tuple(map(int, pixel)) for pixel in np.unique(pixels[pixels[:, 3] > 0], axis=0)}
