"""Write a page that shows every picture that the benchmark asked for, failures included."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PIL import Image

from modelsheet.imaging.contact_sheet import Cell, Section, draw_contact_sheet
from modelsheet.motion.figures.pictures import Picture
from sprite_training.motion.evaluation import GIVEN, TestSet

_STYLE = "body{font:16px/1.5 sans-serif;max-width:1200px;margin:2em auto;padding:0 1em}"
_CELL = 128  # px


def write_page(
    folder: Path,
    test: TestSet,
    methods: Mapping[str, Callable[[int, str], Sequence[Picture]]],
    lines: Sequence[str],
) -> Path:
    """Write index.html with the figures, and a sheet for each character; return the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    sheets = []
    for number in range(len(test.characters)):
        for ability in GIVEN:
            sheets.append(f"{number:02}-{ability}.png")
            _sheet(test, methods, number, ability).save(folder / sheets[-1])
    figures = "\n".join(map(html.escape, lines))
    pictures = "".join(f'<p><img src="{name}" alt="{name}"></p>' for name in sheets)
    page = folder / "index.html"
    page.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>modelsheet bench motion'
        f"</title><style>{_STYLE}</style><h1>modelsheet bench motion</h1><pre>{figures}</pre>"
        f"<p>All characters and poses, none left out.</p>{pictures}</html>\n",
        "utf-8",
    )
    return page


def _sheet(
    test: TestSet,
    methods: Mapping[str, Callable[[int, str], Sequence[Picture]]],
    number: int,
    ability: str,
) -> Image.Image:
    """Draw the front, then a row of truths and one a method."""
    cases = test.cases[number]
    front = Cell(Image.fromarray(test.standing(test.characters[number], "front")), "front")
    blank = Cell(Image.new("RGBA", (1, 1)))
    rows = [[Cell(Image.fromarray(c.truth), f"{c.pose.action} {c.pose.view}") for c in cases]]
    for name, answer in methods.items():
        pictures = [Image.fromarray(each) for each in answer(number, ability)]
        rows.append([Cell(p, "" if column else name) for column, p in enumerate(pictures)])
    cells = [cell for k, row in enumerate(rows) for cell in [blank if k else front, *row]]
    title = f"character {number}, given: {ability}"
    return draw_contact_sheet([Section(title, cells, len(cases) + 1)], cell_size=_CELL)
