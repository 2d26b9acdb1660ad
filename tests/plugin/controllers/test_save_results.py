"""Results are written as PNG files without making Krita wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from modelsheet.imaging.png_metadata import parameters_text, read_parameters
from tests.plugin.binding import QImage
from tests.plugin.conftest import Until
from tests.plugin.drive import generate, said
from tests.plugin.fake_backend import FakeBackend, recipe


def save(docker: Any, chosen: int) -> Any:
    panel = docker.controller.panel
    keys = [item.data(256) for item in panel.results.images()][:chosen]
    panel.result_wanted.emit("save", keys)
    return docker.controller.generate.saver.dialog


def test_one_result_is_saved_under_a_name(
    connected: Any, remote: FakeBackend, tmp_path: Path, until: Until
) -> None:
    generate(connected, remote, until)
    dialog = save(connected, 1)
    assert dialog.isVisible()

    dialog.fileSelected.emit(str(tmp_path / "hero.png"))

    until(lambda: said(connected) == f"1 picture is written into {tmp_path}.")
    assert QImage(str(tmp_path / "hero.png")).width() == 8


def test_a_saved_picture_carries_what_made_it(
    connected: Any, remote: FakeBackend, tmp_path: Path, until: Until
) -> None:
    generate(connected, remote, until, prompt="@Hero holding a “sword”, night")
    path = tmp_path / "hero.png"

    save(connected, 1).fileSelected.emit(str(path))

    until(lambda: said(connected) == f"1 picture is written into {tmp_path}.")
    (request,) = [asked for asked in remote.requests.values() if asked.kind == "generate"]
    assert read_parameters(path) == recipe(request)
    with Image.open(path) as picture:
        picture.load()
        assert picture.info["parameters"] == parameters_text(recipe(request))


def test_several_are_saved_into_a_folder(
    connected: Any, remote: FakeBackend, tmp_path: Path, until: Until
) -> None:
    generate(connected, remote, until)

    save(connected, 2).fileSelected.emit(str(tmp_path))

    until(lambda: said(connected) == f"2 pictures are written into {tmp_path}.")
    assert sorted(path.name[8:] for path in tmp_path.iterdir()) == ["-7.png", "-8.png"]


def test_a_folder_that_takes_nothing_gets_a_sentence(
    connected: Any, remote: FakeBackend, tmp_path: Path, until: Until
) -> None:
    generate(connected, remote, until)

    save(connected, 2).fileSelected.emit(str(tmp_path / "gone"))

    until(lambda: "cannot be written. Choose another folder." in said(connected))
