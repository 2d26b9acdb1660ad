"""Extract and apply colour palettes, and read those of GIMP, Krita and Lospec."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelsheet.errors import InvalidImages, InvalidRequest
from modelsheet.files.xml_tree import parse_xml
from modelsheet.files.zip_archive import ZipError, open_zip
from modelsheet.imaging.rgba import Colour, decode_image

_PAL_HEADER = 24  # bytes of a RIFF palette before its colours
MAX_COLOURS = 256  # api.generate.PixelArt
_LARGEST_FILE = 1024**2
_MOST_MEMBERS = 64
_ROUNDS = 16
_CANDIDATES = 256
_SAMPLE = 4096  # of an image's colours; more do not change the palette
_K1, _K2 = 0.206, 0.03  # Ottosson's toe
_K3 = (1 + _K1) / (1 + _K2)
_Colours = npt.NDArray[np.uint8]  # (N, 3), sRGB
_Lab = npt.NDArray[np.float64]  # (N, 3), OKLab


def read_palette(path: Path) -> list[Colour]:
    """Read a .gpl, .kpl, .hex, .pal or .png file; transparent entries are left out.

    Raises InvalidRequest with a sentence.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InvalidRequest(
            f"{path} is no palette: give a file ending in .gpl, .kpl, .hex, .pal or .png."
        )
    try:
        if path.exists() and not path.is_file():
            raise InvalidRequest(f"{path} is no ordinary file. Name a palette file.")
        if path.stat().st_size > _LARGEST_FILE:
            raise InvalidRequest(f"{path} is too large for a palette. Name a file below 1 MiB.")
        colours = reader(path)
    except FileNotFoundError:
        raise InvalidRequest(f"There is no file {path}. Check the name.") from None
    except (ZipError, InvalidImages, OSError, ValueError) as error:
        raise InvalidRequest(
            f"{path} is no palette that can be read ({error}). Save it again, or name another."
        ) from None
    unique = list(dict.fromkeys(colours))
    if not 1 <= len(unique) <= MAX_COLOURS:
        raise InvalidRequest(f"{path} has {len(unique)} colours; 1 to {MAX_COLOURS} can be used.")
    return unique


def _read_gpl(path: Path) -> list[Colour]:
    """Read a GIMP palette; Aseprite's has a fourth number, the opacity."""
    lines = _read_text(path).splitlines()
    if not lines or lines[0].strip() != "GIMP Palette":
        raise ValueError("it does not begin with “GIMP Palette”")
    has_alpha = any(re.match(r"Channels:\s*RGBA\b", line) for line in lines)
    return _rows(lines[1:], has_alpha)


def _read_pal(path: Path) -> list[Colour]:
    """Read a palette of Paint Shop Pro (text), or of Windows (RIFF, 4 bytes a colour)."""
    content = path.read_bytes()
    if content.startswith(b"RIFF") and content[8:16] == b"PAL data":
        if len(content) < _PAL_HEADER:
            raise ValueError("it is cut off")
        (count,) = struct.unpack_from("<H", content, _PAL_HEADER - 2)
        entries = content[_PAL_HEADER : _PAL_HEADER + 4 * count]
        if len(entries) != 4 * count:
            raise ValueError("it is cut off")
        return [_levels(entries[start : start + 3]) for start in range(0, len(entries), 4)]
    lines = _read_text(path).splitlines()
    if not lines or lines[0].strip() != "JASC-PAL":
        raise ValueError("it begins with neither “JASC-PAL” nor “RIFF”")
    return _rows(lines[3:], has_alpha=True)


def _read_png(path: Path) -> list[Colour]:
    """Return the colours of a picture's opaque pixels, row by row, as Lospec has them."""
    pixels = _opaque(decode_image(path.read_bytes(), str(path), formats=("PNG",)))
    colours, first = np.unique(pixels, axis=0, return_index=True)
    return [_levels(colour.tolist()) for colour in colours[first.argsort()]]


def _read_text(path: Path) -> str:
    return path.read_text("utf-8-sig", errors="replace")  # Windows editors put a mark first


def _rows(lines: Sequence[str], has_alpha: bool) -> list[Colour]:
    """Read three levels of each line, and leave out those whose fourth, the opacity, is 0."""
    found = [
        re.match(r"\s*(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})\b(?:\s+(\d{1,3})\b)?", line)
        for line in lines
    ]
    return [
        _levels([int(level) for level in match.groups()[:3]])
        for match in found
        if match and not (has_alpha and match[4] is not None and int(match[4]) == 0)
    ]


def _read_kpl(path: Path) -> list[Colour]:
    """Read a Krita palette: a zip with colorset.xml, whose RGB entries are in [0, 1]."""
    with open_zip(path, max_members=_MOST_MEMBERS, max_bytes=8 * _LARGEST_FILE) as archive:
        root = parse_xml(archive.read("colorset.xml", 8 * _LARGEST_FILE))
    shares = [[float(entry.get(name, "nan")) for name in "rgb"] for entry in root.iter("RGB")]
    if not all(0 <= share <= 1 for each in shares for share in each):  # NaN is not either
        raise ValueError("a colour is not between 0 and 1")
    return [_levels([round(share * 255) for share in each]) for each in shares]


def _read_hex(path: Path) -> list[Colour]:
    """Read six digits a line, with "#" or without; two more are the opacity."""
    words = [word.removeprefix("#").lower() for word in _read_text(path).split()]
    is_clear = [len(word) == 8 and word.endswith("00") for word in words]
    return [
        parse_hex_colour(f"#{word[:6] if len(word) == 8 else word}")
        for word, clear in zip(words, is_clear, strict=True)
        if not clear
    ]


_READERS = {
    ".gpl": _read_gpl,
    ".kpl": _read_kpl,
    ".hex": _read_hex,
    ".pal": _read_pal,
    ".png": _read_png,
}


def _levels(levels: Sequence[int]) -> Colour:
    if not all(0 <= level <= 255 for level in levels):
        raise ValueError(f"{levels} is no colour")
    red, green, blue = levels
    return red, green, blue


def parse_hex_colour(text: str) -> Colour:
    """Parse "#rrggbb". Raises ValueError."""
    if not re.fullmatch(r"#[0-9a-f]{6}", text):
        raise ValueError(f"{text!r} is no colour")
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def format_hex_colour(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def extract_palette(images: Sequence[Image.Image], count: int) -> list[Colour]:
    """Return at most `count` colours that best represent the opaque pixels, by k-means in OKLab.

    Images with no more colours than that keep theirs.
    """
    pixels = np.concatenate([_opaque(image) for image in images] or [_no_colours()])
    if not len(pixels):
        return [(0, 0, 0)]
    colours, frequency = np.unique(pixels, axis=0, return_counts=True)
    if len(colours) <= count:
        return [_levels(colour.tolist()) for colour in colours]
    return _refine(colours, frequency, _initial_colours(pixels, count))


def _initial_colours(pixels: _Colours, count: int) -> _Colours:
    """Choose initial colours greedily, each the one that reduces the remaining error most.

    A small red jewel is chosen before the tenth green.
    """
    cut = Image.fromarray(pixels[None]).quantize(_CANDIDATES, method=Image.Quantize.MEDIANCUT)
    candidates, frequency = np.unique(np.asarray(cut.convert("RGB"))[0], axis=0, return_counts=True)
    points = srgb_to_oklab(candidates)
    distance = np.square(points[:, None] - points[None]).sum(-1)
    remaining = np.full(len(points), np.inf)
    chosen: list[int] = []
    for _ in range(min(count, len(points))):
        unexplained = np.minimum(distance, remaining) @ frequency
        chosen.append(int(unexplained.argmin()))
        remaining = np.minimum(remaining, distance[chosen[-1]])
    return candidates[sorted(set(chosen))]


def _refine(colours: _Colours, frequency: npt.NDArray[np.intp], start: _Colours) -> list[Colour]:
    """Refine by Lloyd's algorithm, then replace each mean by the nearest colour of the images."""
    step = -(-len(colours) // _SAMPLE)
    colours, frequency = colours[::step], frequency[::step]
    points, means = srgb_to_oklab(colours), srgb_to_oklab(start)
    for _ in range(_ROUNDS):
        nearest = _nearest(points, means)
        totals = np.bincount(nearest, frequency, len(means))[:, None]
        sums = [np.bincount(nearest, frequency * axis, len(means)) for axis in points.T]
        moved = np.where(totals > 0, np.stack(sums, axis=1) / np.maximum(totals, 1), means)
        if np.allclose(moved, means):
            break
        means = moved
    own = colours[_nearest(means, points)]
    return [_levels(colour.tolist()) for colour in np.unique(own, axis=0)]


def apply_palette(image: Image.Image, palette: Sequence[Colour]) -> Image.Image:
    """Replace each colour by the palette's nearest one in OKLab; alpha is unchanged."""
    rgba = np.array(image.convert("RGBA"))
    colours = np.array(palette, dtype=np.uint8)
    own, where = np.unique(rgba[..., :3].reshape(-1, 3), axis=0, return_inverse=True)
    nearest = colours[nearest_colours(own, colours)]
    rgba[..., :3] = nearest[where.reshape(-1)].reshape(rgba[..., :3].shape)
    return Image.fromarray(rgba)


def nearest_colours(colours: _Colours, candidates: _Colours) -> npt.NDArray[np.intp]:
    """Return the index of the candidate that is nearest in OKLab to each colour."""
    return _nearest(srgb_to_oklab(colours), srgb_to_oklab(candidates))


def srgb_to_oklab(colours: _Colours) -> _Lab:
    """Convert sRGB to OKLab (Ottosson 2020), where distances are perceptual.

    With Ottosson's later toe, without which blacks a few levels apart count as different colours.
    """
    share = colours.astype(np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    lab: _Lab = np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T
    light = lab[:, :1]
    risen = _K3 * light - _K1
    toed: _Lab = (risen + np.sqrt(risen**2 + 4 * _K2 * _K3 * light.clip(0))) / 2
    lab *= toed / light.clip(1e-9)
    return lab


def _nearest(points: _Lab, candidates: _Lab) -> npt.NDArray[np.intp]:
    """Return the index of the nearest candidate for each point, in batches of 4096."""
    parts = [np.empty(0, np.intp)] + [
        np.square(points[start : start + 4096, None] - candidates[None]).sum(-1).argmin(1)
        for start in range(0, len(points), 4096)
    ]
    return np.concatenate(parts)


def _opaque(image: Image.Image) -> _Colours:
    rgba = np.asarray(image.convert("RGBA")).reshape(-1, 4)
    return rgba[rgba[:, 3] > 127][:, :3]


def _no_colours() -> _Colours:
    return np.zeros((0, 3), dtype=np.uint8)


_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
