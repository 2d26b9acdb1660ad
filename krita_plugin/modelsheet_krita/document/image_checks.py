"""Check training images: warn of small, cropped, duplicate, hidden and opaque ones."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass

from ..i18n import tr
from ..image import BYTES_PER_PIXEL, Image, downsampled, from_qimage, to_qimage
from ..qt import QtCore, QtGui, not_none

SMALL_SIDE = 256  # px; large enough for a thumbnail
TINY_SIDE = 8  # px; at this size near-duplicates are the same
NEARLY = 3.0  # mean difference of channel values, of 255


@dataclass(frozen=True)
class ImageSample:
    """Reduced copies of an image, made once, as reading a large one takes a while."""

    small: Image
    tiny: bytes
    is_opaque: bool


def sample(image: Image) -> ImageSample:
    """Reduce an image for `check_images` and for its thumbnail."""
    small = _scaled_down(image)
    opaque = image.pixels[3::BYTES_PER_PIXEL].count(255) * BYTES_PER_PIXEL
    return ImageSample(small, _tiny(small), opaque == len(image.pixels))


def check_images(
    images: Sequence[Image], samples: Sequence[ImageSample], resolution: int
) -> list[list[str]]:
    """Return warnings for each image. `resolution`: the base model's side in px."""
    warnings = []
    for number, (image, own) in enumerate(zip(images, samples)):
        found = _warnings(image, own, resolution)
        duplicates = [
            earlier.name
            for earlier, other in zip(images[:number], samples)
            if _difference(other.tiny, own.tiny) < NEARLY
        ]
        if duplicates:
            found.append(tr("Nearly the same as “{name}”.", name=duplicates[0]))
        warnings.append(found)
    return warnings


def _warnings(image: Image, own: ImageSample, resolution: int) -> list[str]:
    found = []
    if "hidden" in image.notes:
        found.append(tr("It is hidden; it is learnt all the same."))
    if "cut" in image.notes:
        found.append(tr("What lies outside the canvas is not learnt."))
    found += [sentence for note, sentence in _unseen().items() if note in image.notes]
    if max(image.width, image.height) * 2 <= resolution:
        found.append(tr("Small: there is little to see at this size."))
    if own.is_opaque:
        found.append(tr("No transparency: the background is learnt too."))
    return found


def _unseen() -> dict[str, str]:
    """Return sentences on what the canvas shows and the picture lacks, by the image's notes."""
    return {
        "style": tr(
            "Its layer style (stroke, glow, …) is left out. Flatten the layer to learn it too."
        ),
        "blending": tr(
            "Its blending mode is left out. Merge it with the layers below to learn what the "
            "canvas shows."
        ),
        "inherits alpha": tr(
            "It inherits alpha; all of it is learnt. Select its group to learn what the canvas "
            "shows."
        ),
    }


def _scaled_down(image: Image) -> Image:
    if max(image.width, image.height) <= SMALL_SIDE:
        return image
    small = downsampled(image, 4 * SMALL_SIDE).scaled(
        QtCore.QSize(SMALL_SIDE, SMALL_SIDE),
        QtCore.Qt.AspectRatioMode.KeepAspectRatio,
        QtCore.Qt.TransformationMode.SmoothTransformation,
    )
    return from_qimage(small, image.name)


def _tiny(image: Image) -> bytes:
    small = to_qimage(image).scaled(
        QtCore.QSize(TINY_SIDE, TINY_SIDE),
        QtCore.Qt.AspectRatioMode.IgnoreAspectRatio,
        QtCore.Qt.TransformationMode.SmoothTransformation,
    )
    small = small.convertToFormat(QtGui.QImage.Format.Format_ARGB32_Premultiplied)
    return not_none(small.constBits()).asstring(TINY_SIDE * TINY_SIDE * BYTES_PER_PIXEL)


def _difference(one: bytes, other: bytes) -> float:
    """Return the mean absolute difference of two byte strings."""
    total: int = sum(map(abs, map(operator.sub, one, other)))
    return total / len(one)
