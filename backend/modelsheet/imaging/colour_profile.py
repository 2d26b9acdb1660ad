"""Convert images to sRGB by the ICC profile of their file, as painting programs show them."""

from __future__ import annotations

import io
import logging

import numpy as np
from PIL import Image, ImageCms

_log = logging.getLogger(__name__)

_LARGEST_PROFILE = 8 * 1024**2  # bytes; profiles of printers have 1 to 4 MiB
_ROUNDING = 2  # levels
# The profile's colour space by the image's mode without alpha.
_SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK"}


def to_srgb(image: Image.Image, profile: bytes | None, name: str) -> Image.Image:
    """Return an 8-bit image as RGBA in sRGB; `profile` is its file's, None means sRGB.

    Where the profile cannot be used a note says so, and the numbers are taken as sRGB.
    """
    rgba = image.convert("RGBA")
    if profile:
        try:
            converted = _converted(image, profile)
            rgba = Image.merge("RGBA", (*converted.split(), rgba.getchannel("A")))
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            _log.warning(
                "%s: its colour profile cannot be used (%s), so its colours are taken as sRGB",
                *(name, error),
            )
    rgba.info.pop("icc_profile", None)  # it would be written into a file of other colours
    return rgba


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    """Return the colours in sRGB, in mode RGB. Raises PyCMSError, OSError, ValueError."""
    if len(profile) > _LARGEST_PROFILE:
        raise ValueError(f"it has more than {_LARGEST_PROFILE >> 20} MiB")
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    colours, space = _without_alpha(image), source.profile.xcolor_space
    if space == "RGB " and colours.mode == "L":
        colours = colours.convert("RGB")
    if _SPACES[colours.mode] != space:
        raise ValueError(f"it is for {space.strip()}, the picture is {colours.mode}")
    transform = ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        colours.mode,
        "RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if colours.mode == "RGB" and _changes_nothing(transform):
        return colours
    return transform.apply(colours)


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Tell whether the profile is one of the many called sRGB, which differ by rounding alone; the
    colours of pixel art then stay as they are.
    """
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    probe = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3)
    after = np.asarray(transform.apply(Image.fromarray(probe)), dtype=np.int16)
    return bool(np.abs(after - probe).max() <= _ROUNDING)


def _without_alpha(image: Image.Image) -> Image.Image:
    """Return the colours in a mode that a profile may be for."""
    if image.mode in ("1", "L", "LA", "La"):
        return image.convert("L")
    return image if image.mode == "CMYK" else image.convert("RGBA").convert("RGB")
