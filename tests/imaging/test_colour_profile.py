"""Colours of files with an ICC profile become those that painting programs show."""

from __future__ import annotations

import io
import logging
import struct
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from modelsheet.imaging.rgba import decode_image
from tests.imaging.test_openraster import STACK, openraster, read_layers

COLOUR = (140, 200, 80)
IN_SRGB = (105, 201, 67)  # as Krita shows it
_ADOBE = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Build an ICC profile of version 2."""
    table, body = b"", b""
    first = 132 + 12 * len(tags)
    for tag, content in tags.items():
        table += tag + struct.pack(">II", first + len(body), len(content))
        body += content + b"\0" * (-len(content) % 4)
    size = struct.pack(">I", first + len(body))
    kind = size + b"\0" * 4 + b"\x02\x10\0\0" + b"mntr" + space + b"XYZ " + b"\0" * 12 + b"acsp"
    head = kind + b"\0" * 28 + fixed(0.9642, 1, 0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + fixed(*values)


def adobe_rgb() -> bytes:
    """Return a profile with the primaries and the gamma of Adobe RGB (1998)."""
    columns = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), (xyz(*c) for c in _ADOBE), strict=True))
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma_curve(2.19921875))
    return profile(b"RGB ", {b"wtpt": xyz(0.9642, 1, 0.8249), **columns, **curves})


def encoded(image: Image.Image, kind: str, icc: bytes) -> bytes:
    content = io.BytesIO()
    lossless = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}
    image.save(content, kind, icc_profile=icc, **lossless.get(kind, {}))
    return content.getvalue()


def near(pixel: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    return all(abs(ours - theirs) <= 2 for ours, theirs in zip(pixel, expected, strict=True))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_converted_by_its_profile(kind: str) -> None:
    content = encoded(Image.new("RGB", (32, 32), COLOUR), kind, adobe_rgb())

    assert near(decode_image(content, "a").getpixel((9, 9)), (*IN_SRGB, 255))


def test_alpha_stays_and_palettes_are_converted_too() -> None:
    clear = Image.new("RGBA", (4, 4), (*COLOUR, 77))
    indexed = Image.new("RGB", (4, 4), COLOUR).convert("P", palette=Image.Palette.ADAPTIVE)

    alike = [decode_image(encoded(i, "PNG", adobe_rgb()), "a") for i in (clear, indexed)]

    assert near(alike[0].getpixel((1, 1)), (*IN_SRGB, 77))
    assert near(alike[1].getpixel((1, 1)), (*IN_SRGB, 255))


def test_the_layers_of_a_document_are_converted(tmp_path: Path) -> None:
    layer = encoded(Image.new("RGBA", (4, 4), (*COLOUR, 255)), "PNG", adobe_rgb())
    path = openraster(tmp_path / "a.ora", STACK.format('<layer src="data/a.png"/>'), a=layer)

    assert near(read_layers(path)[0].image.getpixel((1, 1)), (*IN_SRGB, 255))


def test_a_grey_profile_lightens_grey() -> None:
    linear = profile(b"GRAY", {b"wtpt": xyz(0.9642, 1, 0.8249), b"kTRC": gamma_curve(1)})
    for mode, level in (("L", 55), ("LA", (55, 99))):
        content = encoded(Image.new(mode, (4, 4), level), "PNG", linear)
        red, green, blue, alpha = decode_image(content, "a").getpixel((0, 0))
        assert near((red, green, blue), (128, 128, 128))
        assert alpha == (255 if mode == "L" else 99)


def test_srgb_by_any_name_changes_no_pixel() -> None:
    noise = Image.effect_noise((32, 32), 90).convert("RGB")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    decoded = decode_image(encoded(noise, "PNG", srgb), "a")

    assert decoded.convert("RGB").tobytes() == noise.tobytes()
    assert "icc_profile" not in decoded.info


@pytest.mark.parametrize(
    ("mode", "icc"),
    [
        ("RGB", b"no profile"),
        ("RGB", adobe_rgb()[:200]),
        ("RGB", profile(b"GRAY", {b"kTRC": gamma_curve(1)})),
        ("RGB", adobe_rgb() + b"\0" * (9 << 20)),
    ],
)
def test_a_profile_that_cannot_be_used_is_named(
    mode: str, icc: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    content = encoded(Image.new(mode, (4, 4), COLOUR), "JPEG", icc)

    with caplog.at_level(logging.WARNING):
        image = decode_image(content, "hero.jpg")

    assert near(image.getpixel((0, 0)), (*COLOUR, 255))
    assert "hero.jpg: its colour profile cannot be used" in caplog.text
