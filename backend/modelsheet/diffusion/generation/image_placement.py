"""Bring generated images to their place and size in the picture that a request begins with."""

from __future__ import annotations

from PIL import Image

from modelsheet.diffusion.generation.canvas import Canvas, initial_area, initial_box
from modelsheet.imaging.figure_placement import place_figure
from modelsheet.imaging.inpainting import paste_back
from modelsheet.imaging.residuals import add_residual
from modelsheet.imaging.rgba import (
    Colour,
    composite,
    enlarge_pixels,
    premultiply,
    resize,
    straight_alpha,
)

_WHITE: Colour = (255, 255, 255)


def place_image(
    canvas: Canvas, image: Image.Image, *, patch: bool, pixel_art: bool, keep_detail: bool
) -> Image.Image:
    """Bring a generated image (RGB or RGBA) to its size, or paste it into the picture.

    With `keep_detail` what did not change keeps the pixels of a picture larger than the image.
    """
    if canvas.picture is None or canvas.regions is not None:
        return scale_image(image, *(canvas.result_size or image.size), pixel_art=pixel_art)
    size = canvas.picture.size
    if canvas.figure_box is not None:
        above = place_figure(
            image.convert("RGBA"),
            canvas.figure_box,
            size,
            pixel_size=canvas.pixel_size,
            pixel_art=pixel_art,
        )
    else:
        above = _place_crop(canvas, image, pixel_art=pixel_art, keep_detail=keep_detail)
    if canvas.mask is not None:
        return paste_back(canvas.picture, above, canvas.mask, patch=patch)
    return scale_image(above, *(canvas.result_size or size), pixel_art=pixel_art)


def _place_crop(
    canvas: Canvas, image: Image.Image, *, pixel_art: bool, keep_detail: bool
) -> Image.Image:
    assert canvas.picture is not None
    assert canvas.crop is not None
    placed = Image.new("RGBA", canvas.picture.size)
    scaled = scale_image(image.convert("RGBA"), *canvas.crop.box_size, pixel_art=pixel_art)
    if keep_detail and canvas.crop.box_size != image.size:
        scaled = _keep_detail(canvas, scaled, has_alpha=image.mode == "RGBA", pixel_art=pixel_art)
    placed.paste(scaled, canvas.crop.box[:2])
    return placed


def _keep_detail(
    canvas: Canvas, scaled: Image.Image, *, has_alpha: bool, pixel_art: bool
) -> Image.Image:
    """Give back to unchanged parts the detail that they lost at the size they are generated at."""
    original, small = initial_box(canvas), initial_area(canvas)
    if not has_alpha:
        original, small = (composite(each, _WHITE).convert("RGBA") for each in (original, small))
    before = scale_image(small, *original.size, pixel_art=pixel_art)
    changed, lost, full = (premultiply(each) for each in (scaled, before, original))
    return straight_alpha(add_residual(changed, lost, full))


def scale_image(image: Image.Image, width: int, height: int, *, pixel_art: bool) -> Image.Image:
    """Resize an image; pixel art by repeating pixels where the factor is a whole number."""
    if (width, height) == image.size:
        return image
    factor = width // image.width
    if pixel_art and factor and (image.width * factor, image.height * factor) == (width, height):
        return enlarge_pixels(image, factor)
    return resize(image, width, height)


def unchanged_image(canvas: Canvas, *, patch: bool) -> Image.Image:
    """Return the picture as it is; for a patch only the part inside the mask."""
    assert canvas.picture is not None
    if not patch or canvas.mask is None:
        return canvas.picture
    return paste_back(canvas.picture, canvas.picture.convert("RGBA"), canvas.mask, patch=True)
