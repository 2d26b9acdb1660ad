"""The demo over the real service with the toy runner, and the files it leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from modelsheet.api.generate_result import GeneratedImage
from modelsheet.cli import demo
from modelsheet.cli.progress import run_job
from modelsheet.client.references import read_references
from modelsheet.connection_file import read_connection
from modelsheet.imaging.openraster import Group, read_document
from modelsheet.imaging.rgba import read_image
from modelsheet.settings import Settings
from tests import toy


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    out_dir = tmp_path_factory.mktemp("demo")
    home = out_dir / "home"
    lines: list[str] = []
    demo.run_demo(
        out_dir,
        environment=toy.environment(home),
        run_job=run_job,
        say=lines.append,
        command=toy.command(home),
    )
    return out_dir, lines


def test_six_prompts_and_two_seeds_become_layers(told: tuple[Path, list[str]]) -> None:
    document = read_document(told[0] / "hero-generated.ora")

    groups = [node for node in document.nodes if isinstance(node, Group)]
    assert [len(group.nodes) for group in groups] == [5, *[2] * 6]
    assert groups[1].name == "@hero, holding sword"
    assert [layer.name for layer in groups[1].nodes] == [
        "holding sword · seed 1",
        "holding sword · seed 2",
    ]


def test_the_hero_walks_in_four_views(told: tuple[Path, list[str]]) -> None:
    groups = read_document(told[0] / "hero-walk.ora").nodes

    assert [group.name for group in groups] == ["front", "left", "back", "right"]
    assert read_image(told[0] / "hero-sheet.png").size == (4 * 64, 5 * 64)
    with Image.open(told[0] / "hero-walk.gif") as film:
        assert film.size == (4 * 3 * 64, 3 * 64)


def test_no_two_layers_overlap(told: tuple[Path, list[str]]) -> None:
    groups = read_document(told[0] / "hero-generated.ora").nodes

    layers = [layer for group in groups if isinstance(group, Group) for layer in group.nodes]
    assert len({(layer.x, layer.y) for layer in layers}) == 17  # type: ignore[union-attr]


def test_the_sheet_and_where_to_look_are_told(told: tuple[Path, list[str]]) -> None:
    out_dir, lines = told

    assert read_image(out_dir / "hero.png").width > 1000
    assert "  · holding sword, with round shield" in lines
    assert str(out_dir / "hero.png") in lines[-1]
    assert str(out_dir / "hero-generated.ora") in lines[-1]
    assert str(out_dir / "hero-walk.gif") in lines[-1]


def test_the_service_ends_with_the_demo(told: tuple[Path, list[str]]) -> None:
    settings = Settings.from_environment({"MODELSHEET_HOME": str(told[0] / "home")})

    assert read_connection(settings) is None
    assert list((told[0] / "home" / "data" / "subjects").iterdir())


def test_the_references_stand_on_the_left_of_the_results() -> None:
    references = read_references([demo.sample_path()])
    generated = GeneratedImage(blob="0" * 64, width=32, height=32, seed=3, prompt="p")
    results = {"red cloak": [(generated, references[0].image)]}

    left, right = demo.sections(references, results)

    assert [cell.label for cell in left.cells] == [reference.name for reference in references]
    assert (right.cells[0].label, right.cells[0].note) == ("red cloak", "seed 3")
