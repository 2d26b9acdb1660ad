"""OpenRaster files: what is written is read back, and bad ones are refused in a sentence."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from modelsheet.errors import InvalidImages
from modelsheet.imaging import openraster as openraster_module
from modelsheet.imaging.openraster import (
    Group,
    Layer,
    flatten,
    read_document,
    read_layers,
    render_layer,
    write_document,
)
from modelsheet.imaging.rgba import read_image
from tests.files.damaged_zip import spoiled
from tests.paths import HERO

RED, BLUE = (255, 0, 0, 255), (0, 0, 255, 255)
STACK = '<image w="4" h="4"><stack>{}</stack></image>'
ONE_LAYER = STACK.format('<layer name="one" src="data/one.png" x="1" y="2"/>')


def dot(colour: tuple[int, int, int, int], size: tuple[int, int] = (1, 1)) -> Image.Image:
    return Image.new("RGBA", size, colour)


def png(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def archive(
    path: Path, entries: dict[str, bytes | str], compression: int = zipfile.ZIP_STORED
) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return path


def openraster(path: Path, stack: str | bytes, **entries: bytes) -> Path:
    pictures = {f"data/{name}.png": content for name, content in entries.items()}
    return archive(path, {"mimetype": "image/openraster", "stack.xml": stack, **pictures})


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    nodes = (
        Layer("below", dot(RED, (4, 4))),
        Group("pair", (Layer("a", dot(RED), 1, -2), Layer("b", dot(BLUE), 3, 3, visible=False))),
        Layer("fünf <&> 'ö'", dot(BLUE), 2, 0, opacity=0.5),
    )
    write_document(tmp_path / "new" / "file.ora", nodes, (4, 4))

    document = read_document(tmp_path / "new" / "file.ora")

    assert document.size == (4, 4)
    assert described(document.nodes) == described(nodes)


def described(nodes: tuple[Layer | Group, ...]) -> list[object]:
    return [
        (n.name, n.visible, n.opacity, described(n.nodes))
        if isinstance(n, Group)
        else (n.name, n.visible, n.opacity, n.x, n.y, n.image.tobytes())
        for n in nodes
    ]


def test_the_file_is_as_the_format_asks(tmp_path: Path) -> None:
    write_document(tmp_path / "a.ora", [Layer("one", dot(RED), 3, 3)], (400, 300))

    assert (tmp_path / "a.ora").read_bytes()[30:54] == b"mimetypeimage/openraster"
    with zipfile.ZipFile(tmp_path / "a.ora") as file:
        assert ElementTree.fromstring(file.read("stack.xml")).get("w") == "400"
        merged = Image.open(io.BytesIO(file.read("mergedimage.png")))
        thumbnail = Image.open(io.BytesIO(file.read("Thumbnails/thumbnail.png")))
    assert merged.getbbox() == (3, 3, 4, 4)
    assert thumbnail.size == (256, 192)


def test_the_same_layers_make_the_same_file(tmp_path: Path) -> None:
    for name in ("a.ora", "b.ora"):
        write_document(tmp_path / name, [Layer("one", dot(RED))], (4, 4))

    assert (tmp_path / "a.ora").read_bytes() == (tmp_path / "b.ora").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ora", "b.ora"]


def test_control_characters_in_a_name_do_not_break_the_file(tmp_path: Path) -> None:
    write_document(tmp_path / "a.ora", [Layer("bell\x07\x00 ends", dot(RED))], (1, 1))

    assert read_layers(tmp_path / "a.ora")[0].name == "bell ends"


def test_the_first_layer_of_the_file_is_the_topmost(tmp_path: Path) -> None:
    layers = '<layer name="top" src="data/t.png"/><layer name="bottom" src="data/b.png"/>'
    path = openraster(tmp_path / "a.ora", STACK.format(layers), t=png(dot(RED)), b=png(dot(BLUE)))

    document = read_document(path)

    assert [node.name for node in document.nodes] == ["bottom", "top"]
    assert flatten(document.nodes, document.size).getpixel((0, 0)) == RED


def test_a_group_becomes_one_layer_without_what_is_hidden(tmp_path: Path) -> None:
    group = Group(
        "knight", (Layer("a", dot(RED), 1, 1), Layer("b", dot(BLUE), 2, 2, visible=False))
    )
    write_document(tmp_path / "a.ora", [group, Layer("plain", dot(BLUE))], (4, 4))

    knight, plain = read_layers(tmp_path / "a.ora")

    assert (knight.name, plain.name) == ("knight", "plain")
    assert knight.image.getbbox() == (1, 1, 2, 2)


def test_a_lone_group_is_opened(tmp_path: Path) -> None:
    group = Group("views", (Layer("front", dot(RED)), Layer("back", dot(BLUE))))
    write_document(tmp_path / "a.ora", [group], (4, 4))

    assert [layer.name for layer in read_layers(tmp_path / "a.ora")] == ["front", "back"]


def test_a_layer_stands_at_its_place_on_the_canvas() -> None:
    placed = render_layer(
        Layer("a", dot((255, 0, 0, 200)), 1, 2, visible=False, opacity=0.5), (4, 4)
    )

    assert placed.getbbox() == (1, 2, 2, 3)
    assert placed.getpixel((1, 2)) == (255, 0, 0, 100)


def test_a_missing_opacity_or_place_has_its_default(tmp_path: Path) -> None:
    path = openraster(tmp_path / "a.ora", ONE_LAYER, one=png(dot(RED)))

    layer = read_layers(path)[0]

    assert (layer.x, layer.y, layer.visible, layer.opacity) == (1, 2, True, 1.0)


BAD_STACKS = {
    "broken xml": ("<image", "cannot be understood"),
    "no size": ("<image><stack/></image>", "cannot be understood"),
    "no stack": ('<image w="1" h="1"/>', "cannot be understood"),
    "not utf-8": (b"\xff\xfe\x00", "cannot be understood"),
    "far too large": ('<image w="20000" h="20000"><stack/></image>', "each side"),
    "entities": ('<!DOCTYPE x [<!ENTITY a "b">]>' + ONE_LAYER, "document type"),
    "no such picture": (STACK.format('<layer src="data/two.png"/>'), "lacks 'data/two.png'"),
    "out of the file": (STACK.format('<layer src="../../etc/passwd"/>'), "points outside"),
    "absolute": (STACK.format('<layer src="/etc/passwd"/>'), "points outside"),
    "nested": ('<image w="1" h="1">' + "<stack>" * 40 + "</stack>" * 40 + "</image>", "nested"),
    "bad place": (STACK.format('<layer src="data/one.png" x="left"/>'), "cannot be understood"),
}


@pytest.mark.parametrize(("stack", "sentence"), BAD_STACKS.values(), ids=BAD_STACKS)
def test_a_bad_stack_is_refused(tmp_path: Path, stack: str | bytes, sentence: str) -> None:
    path = openraster(tmp_path / "bad.ora", stack, one=png(dot(RED)))

    with pytest.raises(InvalidImages, match=sentence):
        read_layers(path)


def test_a_layer_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    path = openraster(tmp_path / "bad.ora", ONE_LAYER, one=b"\x89PNG nothing more")

    with pytest.raises(InvalidImages, match=r"the layer 'one' is no PNG/"):
        read_layers(path)


def test_a_truncated_picture_is_refused(tmp_path: Path) -> None:
    whole = png(Image.effect_noise((64, 64), 90).convert("RGBA"))
    path = openraster(tmp_path / "bad.ora", ONE_LAYER, one=whole[: len(whole) // 2])

    with pytest.raises(InvalidImages, match="not a picture that can be read"):
        read_layers(path)


def test_other_files_are_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "text.ora").write_text("hello")
    krita = archive(tmp_path / "a.kra", {"mimetype": "application/x-krita"})
    other = archive(tmp_path / "a.zip", {"readme": "hello"})

    for path, sentence in (
        (tmp_path / "text.ora", "Save it again from Krita"),
        (krita, r"Export it from Krita as \.ora"),
        (other, "lacks 'mimetype'"),
        (tmp_path / "none.ora", "There is no file"),
        (tmp_path, "cannot be read"),
    ):
        with pytest.raises(InvalidImages, match=sentence):
            read_layers(path)


def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    bomb = archive(
        tmp_path / "bomb.ora",
        {"mimetype": "image/openraster", "stack.xml": b" " * (5 * 1024**2)},
        zipfile.ZIP_DEFLATED,
    )
    many = archive(tmp_path / "many.ora", {f"data/{k}": b"" for k in range(4097)})

    for path in (bomb, many):
        with pytest.raises(InvalidImages, match="refused"):
            read_layers(path)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    content = bytearray(HERO.read_bytes())
    at = content.index(b"IDAT") + 20
    content[at] ^= 0xFF
    (tmp_path / "damaged.ora").write_bytes(bytes(content))

    with pytest.raises(InvalidImages, match="no whole OpenRaster file"):
        read_layers(tmp_path / "damaged.ora")


@pytest.mark.parametrize("name", ["mimetype", "stack.xml", "data/layer000.png"])
def test_bytes_that_do_not_unpack_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "damaged.ora").write_bytes(spoiled(HERO.read_bytes(), name))

    with pytest.raises(InvalidImages, match="no whole OpenRaster file"):
        read_layers(tmp_path / "damaged.ora")


def test_pictures_of_every_kind_become_rgba(tmp_path: Path) -> None:
    Image.new("I;16", (2, 2), 65535).save(tmp_path / "grey16.png")
    Image.new("P", (2, 2)).save(tmp_path / "palette.png")
    Image.new("CMYK", (2, 2)).save(tmp_path / "print.jpg")

    kinds = {path.name: read_image(path) for path in tmp_path.iterdir()}

    assert {image.mode for image in kinds.values()} == {"RGBA"}
    assert kinds["grey16.png"].getpixel((0, 0)) == (255, 255, 255, 255)


def test_a_vector_layer_is_refused_by_its_name(tmp_path: Path) -> None:
    stack = STACK.format('<layer name="logo" src="data/logo.svg"/>')
    svg = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'
    entries = {"mimetype": "image/openraster", "stack.xml": stack, "data/logo.svg": svg}

    with pytest.raises(InvalidImages, match="the layer 'logo' is a vector layer. Convert it"):
        read_layers(archive(tmp_path / "vector.ora", entries))


def test_an_image_that_many_layers_show_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    monkeypatch.setattr(
        openraster_module,
        "decode_image",
        lambda content, name: decoded.append(name) or dot(RED),
    )
    stack = STACK.format('<layer name="one" src="data/one.png"/>' * 200)

    layers = read_layers(openraster(tmp_path / "many.ora", stack, one=png(dot(RED))))

    assert (len(layers), len(decoded)) == (200, 1)


def test_layers_together_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openraster_module, "_MOST_PIXELS", 3)
    stack = STACK.format("".join(f'<layer src="data/{name}.png"/>' for name in ("one", "two")))
    images = {name: png(dot(RED, (1, 2))) for name in ("one", "two")}

    with pytest.raises(InvalidImages, match="its layers have more than"):
        read_layers(openraster(tmp_path / "large.ora", stack, **images))


@pytest.mark.parametrize("place", ["99999999999999999999", "-99999999999999999999", str(2**31)])
def test_a_layer_far_away_is_out_of_sight(tmp_path: Path, place: str) -> None:
    stack = STACK.format(
        f'<stack><layer src="data/one.png" x="{place}"/><layer src="data/one.png"/></stack>'
        '<layer src="data/one.png"/>'
    )
    path = openraster(tmp_path / "far.ora", stack, one=png(dot(RED)))

    group, _ = read_layers(path)[::-1]

    assert render_layer(group, (4, 4)).getbbox() == (0, 0, 1, 1)


def test_the_sample_is_five_full_size_layers_of_one_character() -> None:
    layers = read_layers(HERO)

    assert [layer.name for layer in layers] == [
        "plain",
        "holding staff",
        "holding sword, with round shield",
        "with lantern",
        "green cloak",
    ]
    assert {layer.image.size for layer in layers} == {(32, 32)}
    faces = {layer.image.crop((12, 1, 21, 11)).tobytes() for layer in layers}
    assert len(faces) == 1


def test_blending_modes_are_read_written_and_composed(tmp_path: Path) -> None:
    layers = (
        '<stack name="front" isolation="isolate">'
        '<layer name="shadow" src="data/s.png" composite-op="svg:multiply"/>'
        '<layer name="flat" src="data/f.png"/></stack><layer name="side" src="data/f.png"/>'
    )
    shadow, flat = dot((120, 110, 150, 255)), dot((30, 140, 60, 255))
    path = openraster(tmp_path / "a.ora", STACK.format(layers), s=png(shadow), f=png(flat))

    nodes = read_document(path).nodes
    write_document(tmp_path / "b.ora", nodes, (4, 4))

    for file in ("a.ora", "b.ora"):
        side, front = read_layers(tmp_path / file)
        assert front.image.getpixel((0, 0)) == (14, 60, 35, 255)
        assert side.image.getpixel((0, 0)) == (30, 140, 60, 255)
    assert read_document(tmp_path / "b.ora").nodes[1].isolated  # type: ignore[union-attr]


def test_a_blending_mode_that_is_not_known_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    layer = '<layer name="grit" src="data/one.png" composite-op="krita:hard_mix"/>'
    path = openraster(tmp_path / "a.ora", STACK.format(layer), one=png(dot(RED)))

    (read,) = read_layers(path)

    assert read.image.getpixel((0, 0)) == RED
    assert "blending modes are taken as normal: 'grit: hard_mix'." in caplog.text


def test_many_strange_modes_make_one_short_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    layer = f'<layer name="a" src="data/one.png" composite-op="{"x" * 5000}"/>'
    read_document(openraster(tmp_path / "a.ora", STACK.format(layer * 700), one=png(dot(RED))))

    (note,) = caplog.messages
    assert "and 695 more" in note
    assert len(note) < 600


@pytest.mark.parametrize(
    ("attributes", "place", "opacity"),
    [
        ('x="1.0" y="2,0" opacity="0,5"', (1, 2), 0.5),
        ('x="1e9" y="-9e99" opacity="7"', (16384, -16384), 1.0),
        (f'x="{"9" * 5000}" y="nan" opacity="nan"', (16384, 0), 1.0),
        ('x="" y="-0" opacity=""', (0, 0), 1.0),
    ],
)
def test_numbers_of_other_programs_are_read(
    attributes: str, place: tuple[int, int], opacity: float, tmp_path: Path
) -> None:
    layer = f'<layer name="a" src="data/one.png" {attributes}/>'
    path = openraster(tmp_path / "a.ora", STACK.format(layer), one=png(dot(RED)))

    (read,) = read_layers(path)

    assert ((read.x, read.y), read.opacity) == (place, opacity)
