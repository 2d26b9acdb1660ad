"""Straight alpha stays straight: bytes, bleeding, resampling and cropping, answers known before."""

from __future__ import annotations

import io
import logging
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelsheet.errors import InvalidImages
from modelsheet.imaging import rgba

RED, BLUE, CLEAR = (255, 0, 0, 255), (0, 0, 255, 255), (0, 255, 0, 0)


def picture(*rows: tuple[tuple[int, int, int, int], ...]) -> Image.Image:
    return Image.fromarray(np.array(rows, dtype=np.uint8))


def test_bytes_are_blue_green_red_alpha_row_by_row() -> None:
    image = rgba.from_bgra(bytes([1, 2, 3, 4, 5, 6, 7, 8]), 2, 1)

    assert image.mode == "RGBA"
    assert image.getpixel((0, 0)) == (3, 2, 1, 4)
    assert image.getpixel((1, 0)) == (7, 6, 5, 8)


def test_bytes_survive_the_round_trip_with_the_colour_under_alpha_zero() -> None:
    content = bytes(np.random.default_rng(1).integers(0, 256, 5 * 3 * 4, dtype=np.uint8))

    assert rgba.to_bgra(rgba.from_bgra(content, 5, 3)) == content


@pytest.mark.parametrize(("width", "height"), [(2, 2), (0, 1), (1, 1), (-1, -2)])
def test_a_wrong_number_of_bytes_is_refused_in_a_sentence(width: int, height: int) -> None:
    with pytest.raises(InvalidImages, match="Send the layer again"):
        rgba.from_bgra(bytes(8), width, height)


def test_hidden_colour_is_replaced_by_the_nearest_visible_one() -> None:
    image = picture((RED, CLEAR, CLEAR, CLEAR, CLEAR, BLUE))

    bled = np.asarray(rgba.bleed_colours(image))

    assert [tuple(pixel) for pixel in bled[0, :, :3]] == [RED[:3]] * 3 + [BLUE[:3]] * 3
    assert list(bled[0, :, 3]) == [255, 0, 0, 0, 0, 255]


def test_nearest_pixels_agree_with_a_search_through_all_of_them() -> None:
    sources = np.random.default_rng(7).random((37, 53)) < 0.01
    row, column = np.indices(sources.shape)
    at = np.argwhere(sources)
    true = ((row[..., None] - at[:, 0]) ** 2 + (column[..., None] - at[:, 1]) ** 2).min(axis=-1)

    found_row, found_column = rgba.nearest_pixels(sources)

    assert sources[found_row, found_column].all()
    distance = (found_row - row) ** 2 + (found_column - column) ** 2
    assert (distance == true).mean() > 0.995  # jump flooding may miss by a pixel at a few places
    assert np.abs(np.sqrt(distance) - np.sqrt(true)).max() <= 1.0


def test_bleeding_leaves_visible_pixels_and_empty_pictures_alone() -> None:
    opaque, empty = picture((RED, BLUE)), picture((CLEAR, CLEAR))

    assert rgba.bleed_colours(opaque).tobytes() == opaque.tobytes()
    assert rgba.bleed_colours(empty).tobytes() == empty.tobytes()


@pytest.mark.parametrize("size", [(3, 3), (11, 5), (40, 40)])
def test_resampling_never_shows_the_colour_under_alpha_zero(size: tuple[int, int]) -> None:
    image = Image.new("RGBA", (20, 20), (0, 255, 0, 0))
    image.paste((200, 40, 40, 255), (6, 6, 14, 14))

    resized = np.asarray(rgba.resize(image, *size)).astype(int)

    seen = resized[resized[..., 3] > 0]
    assert np.abs(seen[:, :3] - [200, 40, 40]).max() <= 1


def test_resampling_an_opaque_picture_is_plain_lanczos() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    opaque = Image.fromarray(noise)
    expected = np.asarray(opaque.resize((7, 9), Image.Resampling.LANCZOS)).astype(int)

    resized = np.asarray(rgba.resize(opaque.convert("RGBA"), 7, 9)).astype(int)

    assert np.abs(resized[..., :3] - expected).max() <= 1
    assert (resized[..., 3] == 255).all()


def test_composite_mixes_by_alpha() -> None:
    image = picture(((200, 100, 0, 128), CLEAR))

    flat = rgba.composite(image, (0, 0, 100))

    assert flat.mode == "RGB"
    assert flat.getpixel((1, 0)) == (0, 0, 100)
    assert np.abs(np.array(flat.getpixel((0, 0))) - [100.4, 50.2, 49.8]).max() <= 1


def test_cropping_keeps_the_margin_even_beyond_the_edge() -> None:
    image = Image.new("RGBA", (10, 10), CLEAR)
    image.putpixel((0, 4), RED)

    cropped = rgba.crop_to_content(image, margin=2)

    assert cropped.size == (5, 5)
    assert cropped.getpixel((2, 2)) == RED
    assert cropped.getchannel("A").getbbox() == (2, 2, 3, 3)


def test_cropping_an_empty_picture_is_refused() -> None:
    empty = Image.new("RGBA", (4, 4), CLEAR)

    assert rgba.is_empty(empty)
    with pytest.raises(InvalidImages, match="transparent"):
        rgba.crop_to_content(empty, margin=1)


def test_enlarged_pixels_are_squares() -> None:
    enlarged = rgba.enlarge_pixels(picture((RED, BLUE)), 3)

    assert enlarged.size == (6, 3)
    assert {enlarged.getpixel((x, y)) for x in range(3) for y in range(3)} == {RED}
    assert {enlarged.getpixel((x, y)) for x in range(3, 6) for y in range(3)} == {BLUE}


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


POSTSCRIPT = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 32 32
%%EndComments
showpage
%%EOF
"""
GREY = Image.new("L", (32, 32), 128)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG", "GIF"])
def test_four_kinds_are_read(kind: str) -> None:
    red, *_, alpha = rgba.decode_image(encoded(GREY, kind), "a").getpixel((3, 3))

    assert (abs(red - 128) <= 1, alpha) == (True, 255)


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "TGA", "PPM", "ICO", "PCX", "SGI", "DDS"])
def test_other_kinds_are_refused_whatever_they_are_called(kind: str, tmp_path: Path) -> None:
    (tmp_path / "hero.png").write_bytes(encoded(GREY, kind))

    with pytest.raises(InvalidImages, match="hero.png is no PNG/WebP/JPEG/GIF picture"):
        rgba.read_image(tmp_path / "hero.png")


def test_no_program_is_run_for_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = tmp_path / "called"
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {called}\n")
    (tmp_path / "gs").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    with pytest.raises(InvalidImages, match="hero.png is no PNG/"):
        rgba.decode_image(POSTSCRIPT, "hero.png")

    assert not called.exists()


def test_a_caller_may_read_one_kind_alone() -> None:
    with pytest.raises(InvalidImages, match="a is no PNG picture"):
        rgba.decode_image(encoded(GREY, "JPEG"), "a", formats=("PNG",))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_of_an_animation_the_first_frame_is_read_and_that_is_said(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)

    with caplog.at_level(logging.WARNING):
        image = rgba.decode_image(content, "walk.gif")

    assert image.getpixel((4, 4))[1] < 10  # not lime
    assert caplog.messages == ["walk.gif is animated: only its first frame is taken"]


def test_a_picture_that_does_not_move_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    for kind in rgba.FORMATS:
        rgba.decode_image(encoded(GREY, kind), "a")

    assert caplog.messages == []


@pytest.mark.parametrize("size", [(8193, 1), (1, 8193), (10_000, 10_000), (20_000, 20_000)])
def test_a_size_is_refused_before_anything_is_decoded(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = encoded(Image.new("1", size), "PNG")
    monkeypatch.setattr(Image.core, "zip_decoder", None)  # it would be called

    with pytest.raises(InvalidImages, match="each side must be 1 to"):
        rgba.decode_image(content, "a")


def test_a_jpeg_of_a_thousand_scans_is_refused() -> None:
    content = encoded(Image.new("L", (64, 64)), "JPEG", progressive=True)
    start = content.index(b"\xff\xda")
    scan = content[start : content.index(b"\xff", start + 2)]

    with pytest.raises(InvalidImages, match="more than 100 scans"):
        rgba.decode_image(content[:-2] + scan * 1000 + content[-2:], "a")


def test_damaged_exif_is_passed_over_without_a_word(recwarn: pytest.WarningsRecorder) -> None:
    content = encoded(GREY, "JPEG")
    entries = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\0\x04" + b"\xff" * 8
    exif = b"\xff\xe1" + (len(entries) + 2).to_bytes(2, "big") + entries

    image = rgba.decode_image(content[:2] + exif + content[2:], "a")

    assert image.size == (32, 32)
    assert list(recwarn) == []


def test_the_text_of_a_png_is_read_without_other_kinds(tmp_path: Path) -> None:
    GREY.save(tmp_path / "a.png", comment="no text chunk")
    GREY.save(tmp_path / "a.gif", comment="hello")

    assert rgba.read_png_text(tmp_path / "a.png", "comment") is None
    with pytest.raises(InvalidImages, match="a.gif is no PNG picture"):
        rgba.read_png_text(tmp_path / "a.gif", "comment")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")

    with pytest.raises(InvalidImages, match="is no ordinary file"):
        rgba.read_image(tmp_path / "pipe.png")


def test_sides_are_limited_in_proportion() -> None:
    assert rgba.limit_sides(Image.new("RGBA", (300, 100)), 30).size == (30, 10)
    assert rgba.limit_sides(Image.new("RGBA", (300, 1)), 30).size == (30, 1)
    small = Image.new("RGBA", (30, 20))
    assert rgba.limit_sides(small, 30) is small


@pytest.mark.parametrize(
    ("kind", "mark", "part"),
    [
        ("PNG", b"\x89PNG\r\n\x1a\n", b"\0\0\0\3tEXtk\0v" + b"\xba\x06\x1d\xd3"),
        ("PNG", b"\x89PNG\r\n\x1a\n", b"\0\0\0\0prVt\x9e\x5c\xd4\x97"),
        ("JPEG", b"\xff\xd8", b"\xff\xfe\0\2"),
        ("JPEG", b"\xff\xd8", b"\xff"),
        ("GIF", b"GIF89a" + bytes(7), b"\x21\xfe\0"),
    ],
)
def test_a_picture_of_very_many_parts_is_refused_before_they_are_read(
    kind: str, mark: bytes, part: bytes
) -> None:
    content = encoded(Image.new("L", (8, 8)), kind)
    many = content[: len(mark)] + part * 100_001 + content[len(mark) :]

    with pytest.raises(InvalidImages, match="more than 100000 parts"):
        rgba.decode_image(many, "a")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WebP"])
def test_a_noisy_picture_has_few_parts(kind: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (700, 700, 3), dtype=np.uint8)
    content = encoded(Image.fromarray(noise), kind, quality=100, subsampling=0)

    assert rgba.decode_image(content, "a").size == (700, 700)
