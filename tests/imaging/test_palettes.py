"""Palettes: read from other programs' files, extracted from images, applied to images."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelsheet.errors import InvalidRequest
from modelsheet.imaging.palettes import apply_palette, extract_palette, read_palette
from tests.files.damaged_zip import spoiled

GPL = "GIMP Palette\nName: x\nColumns: 2\n#\n  0   0   0\tBlack\n255 128  64 Skin\n0 0 0\n"
KPL = """<?xml version="1.0"?><ColorSet name="x" version="1.0">
<ColorSetEntry name="a"><RGB r="1" g="0.5" b="0" space="sRGB"/></ColorSetEntry></ColorSet>"""


def picture(*colours: tuple[int, int, int], counts: int = 10) -> Image.Image:
    return Image.fromarray(np.array([[c for c in colours for _ in range(counts)]], np.uint8))


def test_gimp_s_krita_s_and_lospec_s_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.gpl").write_text(GPL)
    (tmp_path / "c.hex").write_text("ff8000\n000000\n")
    with zipfile.ZipFile(tmp_path / "b.kpl", "w") as archive:
        archive.writestr("colorset.xml", KPL)

    assert read_palette(tmp_path / "a.gpl") == [(0, 0, 0), (255, 128, 64)]
    assert read_palette(tmp_path / "b.kpl") == [(255, 128, 0)]
    assert read_palette(tmp_path / "c.hex") == [(255, 128, 0), (0, 0, 0)]


BLACK, WHITE = (0, 0, 0), (255, 255, 255)
RIFF = b"RIFF\x18\0\0\0PAL data\x0c\0\0\0\0\x03\x02\0" + bytes((0, 0, 0, 0, 255, 255, 255, 0))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.gpl", b"\xef\xbb\xbfGIMP Palette\r\n#\r\n  0   0   0\tblack\r\n255 255 255\twhite\r\n"),
        ("a.gpl", b"GIMP Palette\nChannels: RGBA\n0 0 0 255\n255 255 255 9\n9 9 9 0\tclear\n"),
        ("a.gpl", b"GIMP Palette\n0 0 0 0\n255 255 255 00FF\n"),
        ("a.hex", b"\xef\xbb\xbf000000\r\nFFFFFF\r\n"),
        ("a.hex", b"#000000\n#ffffff\n"),
        ("a.hex", b"000000ff\nffffff80\n12345600\n"),
        ("a.pal", b"JASC-PAL\r\n0100\r\n2\r\n0 0 0\r\n255 255 255\r\n"),
        ("a.pal", b"JASC-PAL\n0100\n3\n0 0 0 255\n255 255 255 255\n7 7 7 0\n"),
        ("a.pal", RIFF),
    ],
)
def test_marks_signs_and_transparent_entries_of_other_programs_are_read(
    name: str, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)

    assert read_palette(tmp_path / name) == [BLACK, WHITE]


def test_a_picture_s_opaque_colours_are_a_palette(tmp_path: Path) -> None:
    image = Image.new("RGBA", (3, 2), (255, 255, 255, 255))
    image.putpixel((1, 0), (0, 0, 0, 255))
    image.putpixel((2, 0), (9, 9, 9, 0))
    image.save(tmp_path / "a.png")

    assert read_palette(tmp_path / "a.png") == [WHITE, BLACK]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pal", "GIMP Palette\n0 0 0\n"),
        ("a.pal", RIFF[:-1].decode("latin-1")),
        ("a.pal", RIFF[:20].decode("latin-1")),
        ("a.png", "no picture"),
        ("a.gpl", "no palette"),
        ("a.gpl", "GIMP Palette\n300 0 0\n"),
        ("a.gpl", "GIMP Palette\n"),
        ("a.kpl", "no zip"),
        ("a.hex", "zzzzzz"),
        ("a.txt", "ff8000"),
    ],
)
def test_what_is_no_palette_is_refused_with_its_name(
    tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_bytes(content.encode("latin-1"))

    with pytest.raises(InvalidRequest, match=name):
        read_palette(tmp_path / name)


def test_a_palette_whose_bytes_do_not_unpack_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.kpl"
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("colorset.xml", KPL)
    (tmp_path / "a.kpl").write_bytes(spoiled(whole.read_bytes(), "colorset.xml"))

    with pytest.raises(InvalidRequest, match="a.kpl is no palette"):
        read_palette(tmp_path / "a.kpl")


@pytest.mark.parametrize("red", ["inf", "-inf", "nan", "1e999", "1e308", "-0.1", "1.1", "x"])
def test_a_colour_that_is_none_is_refused(red: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.kpl", "w") as archive:
        archive.writestr("colorset.xml", f'<Colorset><RGB r="{red}" g="0" b="0"/></Colorset>')

    with pytest.raises(InvalidRequest, match="a.kpl is no palette"):
        read_palette(tmp_path / "a.kpl")


def test_two_million_elements_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.kpl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("colorset.xml", "<a>" * 1_000_000 + "</a>" * 1_000_000)

    with pytest.raises(InvalidRequest, match="nested deeper"):
        read_palette(tmp_path / "a.kpl")


def test_few_colours_are_taken_as_they_are() -> None:
    assert extract_palette([picture((9, 8, 7), (1, 2, 3))], 16) == [(1, 2, 3), (9, 8, 7)]


def test_many_colours_become_as_few_as_asked_and_all_are_the_picture_s_own() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)

    palette = extract_palette([Image.fromarray(pixels)], 16)

    assert 8 <= len(palette) <= 16
    assert set(palette) <= {tuple(each) for each in pixels.reshape(-1, 3).tolist()}


def test_transparent_pixels_have_no_say() -> None:
    rgba = picture((200, 0, 0)).convert("RGBA")
    rgba.putpixel((0, 0), (0, 255, 0, 0))

    assert extract_palette([rgba], 4) == [(200, 0, 0)]


def test_each_pixel_gets_the_colour_that_looks_nearest() -> None:
    limited = apply_palette(picture((250, 10, 10), (20, 20, 30)), [(255, 0, 0), (0, 0, 0)])

    assert set(limited.convert("RGB").get_flattened_data()) == {(255, 0, 0), (0, 0, 0)}


def test_a_small_jewel_keeps_its_colour_among_many_greens() -> None:
    greens = np.random.default_rng(1).integers((20, 120, 20), (90, 230, 60), (24, 24, 3))
    pixels = greens.astype(np.uint8)
    pixels[:2, :4] = (220, 20, 30)
    pixels[20:] = np.random.default_rng(2).integers(0, 14, (4, 24, 3))

    palette = extract_palette([Image.fromarray(pixels)], 8)

    assert min(abs(r - 220) + abs(g - 20) + abs(b - 30) for r, g, b in palette) < 12
    assert sum(max(colour) < 30 for colour in palette) <= 2


def test_a_picture_of_a_million_colours_is_soon_done() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (700, 700, 3), dtype=np.uint8)

    assert len(extract_palette([Image.fromarray(noise)], 16)) == 16
