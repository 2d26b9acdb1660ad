"""Files to learn from are read as the plugin reads layers: scaled down, within the API's limits."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from modelsheet.client.client import BackendClient
from modelsheet.client.references import read_references
from modelsheet.errors import InvalidImages
from modelsheet.imaging.openraster import Group, Layer, write_document
from tests.imaging.test_openraster import archive


def test_a_photograph_is_scaled_down_to_what_a_base_model_looks_at(tmp_path: Path) -> None:
    photograph = Image.new("RGB", (6000, 4000), (120, 160, 200))
    photograph.paste("black", (2000, 1000, 4000, 3000))
    photograph.save(tmp_path / "holding_sword.jpg")

    [reference] = read_references([tmp_path / "holding_sword.jpg"])

    assert (reference.name, reference.image.size) == ("holding sword", (2048, 1365))


def test_a_layer_is_scaled_down_with_its_canvas(tmp_path: Path) -> None:
    layer = Layer("front", Image.new("RGBA", (1200, 1600), (9, 9, 9, 255)), 1000, 1500)
    write_document(tmp_path / "a3.ora", [layer], (3508, 4961))

    [reference] = read_references([tmp_path / "a3.ora"])

    assert reference.image.size == (1448, 2048)
    assert reference.image.getbbox() is not None


def test_more_pictures_than_can_be_learnt_are_refused_before_they_are_sent(tmp_path: Path) -> None:
    layers = [Layer(f"{n}", Image.new("RGBA", (1, 1), (n, 0, 0, 255))) for n in range(65)]
    write_document(tmp_path / "many.ora", layers, (2, 2))

    with pytest.raises(InvalidImages, match="There are more than 64 pictures"):
        read_references([tmp_path / "many.ora"])


def test_a_picture_too_large_to_send_is_refused_before_it_is_sent() -> None:
    image = Image.new("RGBA", (8192, 8192))
    with (
        BackendClient("http://127.0.0.1:9", "token") as client,
        pytest.raises(InvalidImages, match="8192 × 8192 pixels is too large to send"),
    ):
        client.upload(image)


def test_an_archive_that_is_none_is_refused_in_a_sentence(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("mimetype", "image/openraster")
    (tmp_path / "a.ora").write_bytes(content.getvalue())

    with pytest.raises(InvalidImages, match="an unusual method"):
        read_references([tmp_path / "a.ora"])


FIGURE = Image.new("RGBA", (4, 4))
FIGURE.paste((30, 140, 60, 255), (1, 1, 3, 4))
WHITE = Image.new("RGBA", (4, 4), (255,) * 4)


def document(tmp_path: Path, *layers: Layer | Group) -> Path:
    write_document(tmp_path / "hero.ora", layers, (4, 4))
    return tmp_path / "hero.ora"


def test_layers_without_a_drawing_are_left_out_and_hidden_ones_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = document(
        tmp_path,
        Layer("Background", WHITE),
        Layer("empty", Image.new("RGBA", (4, 4))),
        Layer("front", FIGURE),
        Layer("sketch", FIGURE.rotate(90), visible=False),
    )

    references = read_references([file])

    assert [reference.name for reference in references] == ["front", "sketch"]
    assert caplog.messages == [
        f"{file}: left out, for nothing is on them: 'empty'",
        f"{file}: left out, for they are one colour all over: 'Background'",
        f"{file}: learnt although hidden: 'sketch'. Choose layers with --layer",
    ]


def test_layers_are_chosen_by_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    group = Group("back", (Layer("a", FIGURE), Layer("b", FIGURE.rotate(180))), visible=False)
    file = document(tmp_path, Layer("Background", WHITE), Layer("Front", FIGURE), group)
    FIGURE.save(tmp_path / "with_hat.png")

    chosen = read_references([file, tmp_path / "with_hat.png"], ["front", "with hat"])
    hidden = read_references([file], ["back"])

    assert [reference.name for reference in chosen] == ["Front", "with hat"]
    assert [reference.name for reference in hidden] == ["back"]
    assert caplog.messages == []
    with pytest.raises(InvalidImages, match="no layer 'side'. There are: 'Background', 'Front'"):
        read_references([file], ["side"])


def test_a_document_with_nothing_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidImages, match="There is no layer to learn from"):
        read_references([document(tmp_path, Layer("Background", WHITE))])


def test_a_filled_picture_file_is_refused(tmp_path: Path) -> None:
    WHITE.save(tmp_path / "white.png")

    with pytest.raises(InvalidImages, match=r"white.png is one colour all over. Leave it out."):
        read_references([tmp_path / "white.png"])


def test_a_blended_layer_on_the_top_level_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shadow = Layer("shadow", FIGURE, mode="svg:multiply")

    references = read_references([document(tmp_path, Layer("flat", FIGURE), shadow)])

    assert len(references) == 2
    assert "learnt as pictures, though they blend with what is below: 'shadow'" in caplog.text


def test_of_thousands_of_layers_no_more_are_rendered_than_can_be_learnt(tmp_path: Path) -> None:
    layer = '<layer name="a" src="data/one.png"/>'
    content = io.BytesIO()
    FIGURE.save(content, "PNG")
    stack = f'<image w="64" h="64"><stack>{layer * 4000}</stack></image>'
    entries = {"stack.xml": stack, "data/one.png": content.getvalue()}
    path = archive(tmp_path / "a.ora", {"mimetype": "image/openraster", **entries})

    with pytest.raises(InvalidImages, match="more than 64"):
        read_references([path, path])
