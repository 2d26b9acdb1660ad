"""The command animate over the service with the toy runner."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from modelsheet.api.animate import AnimateRequest
from modelsheet.cli import animate, demo
from modelsheet.cli.main import main, make_parser
from modelsheet.cli.progress import run_job
from modelsheet.client import launcher, workflows
from modelsheet.errors import InvalidImages, InvalidRequest, ModelsheetError, NotFound
from modelsheet.imaging.openraster import Layer, write_document
from modelsheet.imaging.rgba import read_image
from modelsheet.settings import Settings
from tests import toy

FRONT = demo.sample_path(demo.FRONT)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return toy.environment(tmp_path_factory.mktemp("home"))


def run(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], *given: str) -> list[str]:
    """Run the command against a toy service of its own; returns what it says."""
    home = Path(environment["MODELSHEET_HOME"])
    settings = Settings.from_environment(environment)
    lines: list[str] = []
    with launcher.running_service(
        settings, environment=environment, command=toy.command(home)
    ) as client:
        monkeypatch.setattr(animate, "connect", lambda arguments: client)
        arguments = make_parser().parse_args(["animate", *given])
        assert arguments.run(arguments, lines.append) == 0
    return lines


def test_a_drawing_becomes_files(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], tmp_path: Path
) -> None:
    lines = run(
        monkeypatch,
        environment,
        *(str(FRONT), "--view", "front", "--views", "front", "left", "--action", "walk"),
        *("--format", "frames", "godot", "--out", str(tmp_path)),
    )

    assert [Path(line).name for line in lines] == [
        "hero-front-front.png",
        "hero-front-left.png",
        "hero-front-walk-front-0.png",
        "hero-front-walk-front-1.png",
        "hero-front-walk-left-0.png",
        "hero-front-walk-left-1.png",
        "hero-front-sheet.png",
        "hero-front-sheet.tres",
    ]
    assert read_image(Path(lines[0])).tobytes() == read_image(FRONT).tobytes()


def test_an_action_of_ones_own_is_a_folder_or_a_sheet(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], tmp_path: Path
) -> None:
    folder, out = tmp_path / "figures", tmp_path / "out"
    folder.mkdir()
    greys = {"left-9": 90, "left-10": 100, "back": 50}
    for name, grey in greys.items():
        Image.new("RGBA", (64, 64), (grey, grey, grey, 255)).save(folder / f"{name}.png")
    sheet = Image.new("RGBA", (128, 64), (10, 10, 10, 255))
    sheet.paste((20, 20, 20, 255), (64, 0, 128, 64))
    sheet.save(tmp_path / "wave.png")

    run(
        monkeypatch,
        environment,
        *(str(FRONT), "--views", "front", "--out", str(out)),
        *("--own-action", f"strut={folder}", f"wave={tmp_path / 'wave.png'}"),
    )

    shown = {
        path.stem.removeprefix("hero-front-"): read_image(path).getpixel((0, 0))
        for path in out.glob("*-?.png")
    }
    assert {name: pixel[0] for name, pixel in shown.items()} == {  # type: ignore[index]
        "strut-left-0": 90,
        "strut-left-1": 100,
        "strut-back-0": 50,
        "wave-front-0": 10,
        "wave-front-1": 20,
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("strut", "--own-action strut says no pictures. Say it as NAME=FOLDER."),
        ("strut={tmp}", "There is no PNG in {tmp}. Save the grey figures there"),
        ("strut={tmp}/none.png", "{tmp}/none.png"),
    ],
)
def test_an_action_without_figures_is_refused(given: str, sentence: str, tmp_path: Path) -> None:
    arguments = make_parser().parse_args(
        ["animate", str(FRONT), "--own-action", given.format(tmp=tmp_path)]
    )

    with pytest.raises(ModelsheetError, match=re.escape(sentence.format(tmp=tmp_path))):
        arguments.run(arguments, print)


def test_the_service_lists_actions_and_refuses_others(
    environment: dict[str, str], tmp_path: Path
) -> None:
    home = Path(environment["MODELSHEET_HOME"])
    settings = Settings.from_environment(environment)
    with launcher.running_service(
        settings, environment=environment, command=toy.command(home)
    ) as client:
        assert [action.name for action in client.actions().actions][:2] == ["stand", "walk"]
        drawings = animate.upload_drawings(client, [FRONT], ["front"])
        assert drawings[0].view == "front"
        request = AnimateRequest(drawings=drawings, actions=["moonwalk"])
        with pytest.raises(NotFound, match="no action “moonwalk”. Known are: stand, walk"):
            workflows.animate(client, request, run_job)
        request = AnimateRequest(subject="@nobody")
        with pytest.raises(NotFound, match="no subject called 'nobody'"):
            workflows.animate(client, request, run_job)
        many = tmp_path / "many.ora"
        layers = [Layer(f"layer {number}", read_image(FRONT)) for number in range(5)]
        write_document(many, layers, (64, 64))
        with pytest.raises(InvalidRequest, match="There are 5 layers or pictures, and at most 4"):
            animate.upload_drawings(client, [many], [])
        with pytest.raises(InvalidRequest, match="There are 1 drawings and 2 views"):
            animate.upload_drawings(client, [FRONT], ["front", "left"])


def test_a_large_canvas_is_refused_rather_than_shrunk(tmp_path: Path) -> None:
    large = Image.new("RGBA", (2100, 70))
    large.paste(read_image(FRONT), (1000, 0))
    large.save(tmp_path / "large.png")
    write_document(tmp_path / "large.ora", [Layer("front", large)], large.size)

    for name in ("large.png", "large.ora"):
        with pytest.raises(InvalidImages, match=r"is 2100 × 70 px.*Crop it to the figure\."):
            # Refused before anything is sent.
            animate.upload_drawings(None, [tmp_path / name], [])  # type: ignore[arg-type]


def test_a_name_of_an_action_has_a_form(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["animate", str(FRONT), "--action", "My Walk"]) == 2

    assert "must be small letters and digits, with - in between" in capsys.readouterr().err


def test_a_subject_and_drawings_together_are_refused() -> None:
    arguments = make_parser().parse_args(["animate", "@hero", str(FRONT)])

    with pytest.raises(InvalidRequest, match="Give either one subject, as @hero, or drawings"):
        arguments.run(arguments, print)
