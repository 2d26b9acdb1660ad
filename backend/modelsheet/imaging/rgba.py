"""RGBA images with straight alpha: decode, encode, composite, resample and crop.

Straight alpha: a colour is not multiplied by its alpha, and under alpha 0 it is arbitrary.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from modelsheet.errors import InvalidImages
from modelsheet.imaging.colour_profile import to_srgb

_log = logging.getLogger(__name__)

Colour = tuple[int, int, int]
Size = tuple[int, int]
_Coordinates = npt.NDArray[np.int32]

LARGEST_SIDE = 8192  # api.types.Pixels
LARGEST_FILE = 384 * 1024**2  # bytes; a noisy 8192 × 8192 RGBA image as PNG
# Pillow knows 40 more, one of which (EPS) runs a program, and some whose decoders are rarely tried.
FORMATS = ("PNG", "WebP", "JPEG", "GIF")

_MOST_SCANS = 100  # of a progressive JPEG, each as slow as a whole image; usual are 10
_SCAN_MARK = b"\xff\xda"
# Chunks of a PNG, markers of a JPEG, extensions of a GIF. Pillow takes some µs for each.
_MOST_PARTS = 100_000
_NO_MARKERS = (b"\xff\x00", *(bytes((0xFF, 0xD0 + restart)) for restart in range(8)))

_OPAQUE = 255
_FAR = np.iinfo(np.int32).max
_SMALLEST_ALPHA = 0.5 / _OPAQUE  # what rounds to alpha 0 has no colour to recover


def from_bgra(content: bytes, width: int, height: int) -> Image.Image:
    """Decode an image from raw straight-alpha BGRA8 bytes.

    Raises InvalidImages when there are more or fewer bytes than width * height * 4.
    """
    expected = width * height * 4
    if width < 1 or height < 1 or len(content) != expected:
        raise InvalidImages(
            f"A picture of {width} × {height} pixels has {expected} bytes as BGRA8, but "
            f"{len(content)} came. Send the layer again."
        )
    return Image.frombytes("RGBA", (width, height), content, "raw", "BGRA")


def to_bgra(image: Image.Image) -> bytes:
    """Encode an image as raw straight-alpha BGRA8 bytes; colour under alpha 0 is kept."""
    return image.convert("RGBA").tobytes("raw", "BGRA")


def read_image(path: Path) -> Image.Image:
    """Read a PNG, WebP, JPEG or GIF as RGBA, turned upright; of an animation, the first frame.

    Raises InvalidImages with a sentence.
    """
    return decode_image(_read_file(path), str(path))


def decode_image(
    content: bytes,
    name: str,
    *,
    formats: Sequence[str] = FORMATS,
    largest_side: int = LARGEST_SIDE,
) -> Image.Image:
    """Decode an image file to 8-bit RGBA in sRGB; `name` is for sentences. Raises InvalidImages."""
    with _opened(content, name, formats, largest_side) as image:
        if image.format != "MPO" and getattr(image, "is_animated", False):
            _log.warning("%s is animated: only its first frame is taken", name)
        profile = image.info.get("icc_profile")
        return to_srgb(_8bit(ImageOps.exif_transpose(image)), profile, name)


def read_png_text(path: Path, key: str) -> str | None:
    """Return a text chunk of a PNG file, None where it has none. Raises InvalidImages."""
    with _opened(_read_file(path), str(path), ("PNG",), LARGEST_SIDE) as image:
        image.load()  # the chunk may stand after the pixels
        text = image.info.get(key)
        return text if isinstance(text, str) else None


@contextmanager
def _opened(
    content: bytes, name: str, formats: Sequence[str], largest_side: int
) -> Iterator[ImageFile]:
    """Open an image whose kind and size are allowed, before it is decoded. Raises InvalidImages,
    also for what goes wrong while it is decoded in the block.
    """
    try:
        if _has_too_many_parts(content):
            raise ValueError(f"more than {_MOST_PARTS} parts")
        with (
            _strict_warnings(),
            Image.open(io.BytesIO(content), formats=tuple(formats)) as image,
        ):
            check_size(image.size, name, largest_side)
            if image.format in ("JPEG", "MPO") and content.count(_SCAN_MARK) > _MOST_SCANS:
                raise ValueError(f"more than {_MOST_SCANS} scans")
            yield image
    except (InvalidImages, MemoryError):
        raise
    except UnidentifiedImageError:
        raise InvalidImages(
            f"{name} is no {'/'.join(formats)} picture. Save it as one of these first."
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InvalidImages(
            f"{name} has too many pixels; each side must be 1 to {largest_side}. "
            "Scale it down or crop it first."
        ) from None
    except Exception as error:  # noqa: BLE001 - a damaged file can bring a decoder to any error
        raise InvalidImages(
            f"{name} is not a picture that can be read ({error}). Save it again."
        ) from None


def _has_too_many_parts(content: bytes) -> bool:
    """Tell whether a PNG, JPEG or GIF is made of so many parts that to list them takes long."""
    if content.startswith(b"\xff\xd8"):
        in_pixels = sum(content.count(each) for each in _NO_MARKERS)
        return content.count(b"\xff") - in_pixels > _MOST_PARTS
    if content.startswith(b"GIF8"):
        return content.count(b"\x00\x21") > _MOST_PARTS  # after the end of the part before
    if not content.startswith(b"\x89PNG"):
        return False
    position, count = 8, 0
    while position + 12 <= len(content) and count <= _MOST_PARTS:
        position += 12 + int.from_bytes(content[position : position + 4], "big")
        count += 1
    return count > _MOST_PARTS


@contextmanager
def _strict_warnings() -> Iterator[None]:
    """Raise Pillow's warning of too many pixels, and print none of its others, as of bad EXIF."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _read_file(path: Path) -> bytes:
    """Read an ordinary file of at most LARGEST_FILE bytes. Raises InvalidImages."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise InvalidImages(
                f"{path} is larger than {LARGEST_FILE >> 20} MiB. Scale the picture down first."
            )
        if path.exists() and not path.is_file() and not path.is_dir():
            raise InvalidImages(f"{path} is no ordinary file. Name a PNG, WebP, JPEG or GIF file.")
        return path.read_bytes()
    except FileNotFoundError:
        raise InvalidImages(f"There is no file {path}. Check the name.") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = getattr(error, "strerror", None) or error
        raise InvalidImages(f"{path} cannot be read: {reason}.") from None


def _8bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip instead of scaling
        return image.point(lambda value: value / 257).convert("L")
    return image


def check_size(size: Size, name: str, largest_side: int = LARGEST_SIDE) -> None:
    """Check that both sides are within the API's limits. Raises InvalidImages."""
    if not all(1 <= side <= largest_side for side in size):
        raise InvalidImages(
            f"{name} is {size[0]} × {size[1]} pixels; each side must be 1 to {largest_side}. "
            "Scale it down or crop it first."
        )


def is_empty(image: Image.Image) -> bool:
    """Tell whether all pixels of the RGBA image are transparent."""
    return image.getchannel("A").getbbox() is None


def is_one_colour(image: Image.Image) -> bool:
    """Tell whether all pixels of the RGBA image look alike, as on an empty or a filled layer."""
    return is_empty(image) or image.getcolors(1) is not None


def bleed_colours(image: Image.Image) -> Image.Image:
    """Give each pixel of alpha 0 the colour of the nearest visible pixel; alpha is unchanged.

    A fully transparent image is returned unchanged.
    """
    rgba = np.array(image.convert("RGBA"))
    visible = rgba[..., 3] > 0
    if visible.all() or not visible.any():
        return Image.fromarray(rgba)
    row, column = nearest_pixels(visible)
    rgba[..., :3] = rgba[row, column, :3]
    return Image.fromarray(rgba)


def nearest_pixels(
    sources: npt.NDArray[np.bool_],
) -> tuple[_Coordinates, _Coordinates]:
    """Return row and column of each pixel's nearest source, as two (height, width) arrays.

    Jump flooding, Rong and Tan 2006, with their extra rounds; at rare pixels the source found is
    about a pixel farther than the nearest, which is not visible. At least one source is needed.
    """
    indices = np.indices(sources.shape).astype(np.int32)
    row: _Coordinates = indices[0]
    column: _Coordinates = indices[1]
    nearest = (row.copy(), column.copy())
    distance = np.where(sources, 0, _FAR).astype(np.int32)
    rounds = (max(sources.shape) - 1).bit_length()
    halving = [1 << power for power in reversed(range(rounds))]
    for step in [1, *halving, 2, 1]:
        _adopt_nearer(nearest, distance, row, column, step)
    return nearest


def _adopt_nearer(
    nearest: tuple[_Coordinates, _Coordinates],
    distance: _Coordinates,
    row: _Coordinates,
    column: _Coordinates,
    step: int,
) -> None:
    """Replace, in place, each pixel's source by that of a pixel `step` away where it is nearer."""
    known = distance < _FAR
    before = (nearest[0].copy(), nearest[1].copy())
    for down, right in _EIGHT_DIRECTIONS:
        to, from_ = _shifted(down * step, right * step, distance.shape)
        found_row, found_column = before[0][from_], before[1][from_]
        offered = (found_row - row[to]) ** 2 + (found_column - column[to]) ** 2
        nearer = known[from_] & (offered < distance[to])
        nearest[0][to][nearer] = found_row[nearer]
        nearest[1][to][nearer] = found_column[nearer]
        distance[to][nearer] = offered[nearer]


_EIGHT_DIRECTIONS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
_Window = tuple[slice, slice]


def _shifted(down: int, right: int, shape: tuple[int, ...]) -> tuple[_Window, _Window]:
    """Return the window of pixels with a neighbour at this offset, and that of the neighbours."""
    height, width = shape
    to = (
        slice(max(0, -down), max(0, min(height, height - down))),
        slice(max(0, -right), max(0, min(width, width - right))),
    )
    from_ = (
        slice(max(0, down), max(0, min(height, height + down))),
        slice(max(0, right), max(0, min(width, width + right))),
    )
    return to, from_


def crop_to_content(image: Image.Image, margin: int) -> Image.Image:
    """Crop the image to its visible part plus `margin` px, transparent beyond its edges.

    Raises InvalidImages when it is fully transparent.
    """
    box = image.getchannel("A").getbbox()
    if box is None:
        raise InvalidImages(
            "The picture is empty: all of its pixels are transparent. "
            "Draw something or leave it out."
        )
    left, top, right, bottom = box
    return image.crop((left - margin, top - margin, right + margin, bottom + margin))


def composite(image: Image.Image, colour: Colour) -> Image.Image:
    """Composite an RGBA image over a flat colour, in sRGB as painting programs do; returns RGB."""
    below = Image.new("RGBA", image.size, (*colour, _OPAQUE))
    return Image.alpha_composite(below, image.convert("RGBA")).convert("RGB")


def resize(image: Image.Image, width: int, height: int) -> Image.Image:
    """Resample with Lanczos on premultiplied colours, so that hidden colours cannot leak."""
    size = (width, height)
    rgba = np.asarray(image.convert("RGBA"), dtype=np.float32) / _OPAQUE
    alpha = _resample(rgba[..., 3], size)
    premultiplied = [_resample(rgba[..., c] * rgba[..., 3], size) for c in range(3)]
    visible = alpha > _SMALLEST_ALPHA
    divisor = np.where(visible, alpha, 1.0)
    channels = [np.where(visible, colour / divisor, 0.0) for colour in premultiplied]
    straight = np.stack([*channels, alpha], axis=-1)
    return Image.fromarray((straight.clip(0.0, 1.0) * _OPAQUE).round().astype(np.uint8))


def _resample(channel: npt.NDArray[np.floating], size: Size) -> npt.NDArray[np.float32]:
    resampled = Image.fromarray(channel.astype(np.float32)).resize(size, Image.Resampling.LANCZOS)
    return np.asarray(resampled, dtype=np.float32)


def premultiply(image: Image.Image) -> npt.NDArray[np.float32]:
    """Return an image's levels (H, W, 4) with its colours multiplied by its alpha."""
    levels = np.array(image.convert("RGBA"), dtype=np.float32)
    levels[..., :3] *= levels[..., 3:] / _OPAQUE
    return levels


def straight_alpha(levels: npt.NDArray[np.float32]) -> Image.Image:
    """Return the RGBA image of premultiplied levels (H, W, 4)."""
    alpha = levels[..., 3:].clip(0, _OPAQUE)
    colours = levels[..., :3] * (_OPAQUE / np.maximum(alpha, 1.0))
    straight = np.concatenate([np.where(alpha >= 1, colours, 0), alpha], axis=-1)
    return Image.fromarray(straight.round().clip(0, _OPAQUE).astype(np.uint8))


def on_white(image: Image.Image) -> Image.Image:
    """Return an RGBA image over white, as RGB."""
    return composite(image, (255, 255, 255))


def limit_sides(image: Image.Image, longest: int) -> Image.Image:
    """Scale an image down so that no side has more than `longest` px; a smaller one stays."""
    factor = max(image.size) / longest
    if factor <= 1:
        return image
    width, height = (max(1, round(side / factor)) for side in image.size)
    return resize(image, width, height)


def enlarge_pixels(image: Image.Image, factor: int) -> Image.Image:
    """Enlarge by a whole factor with nearest-neighbour sampling, for pixel art."""
    size = (image.width * factor, image.height * factor)
    return image.resize(size, Image.Resampling.NEAREST)
