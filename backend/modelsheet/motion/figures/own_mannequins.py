"""Read an action of one's own: grey figures that an artist drew as frames."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from modelsheet.errors import InvalidImages
from modelsheet.imaging.rgba import is_empty
from modelsheet.motion.figures.drawing_checks import visible
from modelsheet.motion.figures.fitting import embedded_measurer
from modelsheet.motion.figures.mannequin import Proportions, Warp, grey
from modelsheet.motion.figures.pictures import SIZE, Picture, blank
from modelsheet.motion.figures.placement import Placement


def read_own_mannequins(
    images: Sequence[Image.Image],
    view: str,
    name: str,
    placement: Placement,
    proportions: Proportions,
    drawing_size: tuple[int, int],
) -> list[Picture]:
    """Convert an action's mannequins to the model's pictures.

    Those on the drawing's canvas are taken as they stand; those of 64 × 64 are measured on their
    first frame and fitted to the character. Raises InvalidImages.
    """
    sizes = {image.size for image in images}
    if len(sizes) > 1 or not sizes <= {drawing_size, (SIZE, SIZE)}:
        wrong = next(s for s in [image.size for image in images] if s != drawing_size)
        raise InvalidImages(
            f"A mannequin of “{name}” is {wrong[0]} × {wrong[1]} px. Draw all of them on the "
            f"drawing's canvas of {drawing_size[0]} × {drawing_size[1]} px, or on {SIZE} × {SIZE}."
        )
    if is_empty(images[0]):
        raise InvalidImages(f"The first mannequin of “{name}” is empty: draw a grey figure there.")
    if sizes == {drawing_size}:
        return [grey(placement.to_model(image)) for image in images]
    measured = embedded_measurer().measure(visible(images[0]), view)
    warp = Warp(measured.proportions, proportions)
    return [warp(grey(_picture(image))) for image in images]


def _picture(image: Image.Image) -> Picture:
    picture = blank()
    picture[:] = image.convert("RGBA")
    return picture
