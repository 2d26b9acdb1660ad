"""Files to learn from are read as the plugin reads layers: scaled down, within the API's limits."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from modelsheet.client.client import BackendClient
from modelsheet.client.workflows import read_references
from modelsheet.errors import InvalidImages
from modelsheet.imaging.openraster import Layer, write_document


def test_a_photograph_is_scaled_down_to_what_a_base_model_looks_at(tmp_path: Path) -> None:
    Image.new("RGB", (6000, 4000), (120, 160, 200)).save(tmp_path / "holding_sword.jpg")

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
    write_document(tmp_path / "many.ora", layers, (1, 1))

    with pytest.raises(InvalidImages, match="There are 65 pictures, and at most 64"):
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
