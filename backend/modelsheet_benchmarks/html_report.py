"""A page of a benchmark's outcome: plots with confidence intervals, the table, and the pictures.

Plots need matplotlib: `pip install "modelsheet[bench]"`.
"""

from __future__ import annotations

import html
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from PIL import Image

from modelsheet.errors import ModelsheetError
from modelsheet.imaging.contact_sheet import Cell, Section, draw_contact_sheet
from modelsheet_benchmarks.evaluation import Report, Result
from modelsheet_benchmarks.result_table import Row, cell, table
from modelsheet_benchmarks.subjects import Doll

_MOST_COLUMNS = 12
_COLUMNS = (
    ("subject_fidelity", "subject fidelity"),
    ("base_fidelity", "untuned base"),
    ("real_fidelity", "real pictures"),
    ("subject_fidelity_share", "share of the way"),
    ("masked_subject_fidelity_share", "the same, masked"),
    ("dino_subject_fidelity", "DINO"),
    ("prompt_fidelity_share", "prompt fidelity, share of the base's"),
    ("prior_drift", "prior drift"),
    ("pres", "PRES"),
    ("base_pres", "PRES of the base"),
    ("div", "DIV"),
    ("truth_distance", "distance to the truth"),
    ("palette_distance", "palette distance"),
    ("subject_right", "subject right"),
    ("prompt_right", "prompt right"),
    ("both_right", "both right"),
    ("seconds", "seconds"),
)
_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:1200px;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;font-size:13px}td,th{padding:.3em .8em;text-align:left;"
    "border-bottom:1px solid #ccc}img{max-width:100%;height:auto}div{overflow-x:auto}"
)


def plots() -> ModuleType:
    """What draws the plots. Raises ModelsheetError where matplotlib is missing."""
    try:
        return importlib.import_module("modelsheet_benchmarks.plots")
    except ModuleNotFoundError as error:
        raise ModelsheetError(
            f'Plots need {error.name}, which is not installed: pip install "modelsheet[bench]".'
        ) from error


def write_page(folder: Path, report: Report, conditions: str) -> Path:
    """Write index.html, its plots and one sheet of pictures a subject; gives the page's path.

    Raises ModelsheetError where matplotlib is missing.
    """
    draw = plots().draw
    folder.mkdir(parents=True, exist_ok=True)
    drawn = draw(folder, report)
    sheets = []
    for index, doll in enumerate(report.dolls):
        results = {name: each[index] for name, each in report.results.items()}
        sheets.append(f"{doll.name}.png")
        sheet_of(doll, results).save(folder / sheets[-1])
    page = folder / "index.html"
    page.write_text(_html(report.rows, conditions, drawn, sheets), "utf-8")
    return page


def sheet_of(doll: Doll, results: Mapping[str, Result]) -> Image.Image:
    """References, then a row of truths and a row a recipe, of the same prompts and seeds. What was
    asked stands below the first of these rows, the row's name below its first picture.
    """
    asked = list(doll.prompts)[:_MOST_COLUMNS]
    shown = (
        {"truth": {each: truths[0] for each, truths in doll.truths.items()}} if doll.truths else {}
    )
    shown |= {
        name: {each: result.painted[each][0] for each in asked} for name, result in results.items()
    }
    references = zip(doll.references, doll.captions, strict=True)
    rows = [[Cell(picture, said) for picture, said in references]]
    for number, (name, pictures) in enumerate(shown.items()):
        rows.append(
            [
                Cell(pictures[each], "" if number else each, "" if column else name)
                for column, each in enumerate(asked)
            ]
        )
    columns = max(len(row) for row in rows)
    blank = Cell(Image.new("RGBA", (1, 1)))
    cells = [cell for row in rows for cell in row + [blank] * (columns - len(row))]
    title = f"{doll.name}: references, then what was asked"
    return draw_contact_sheet([Section(title, cells, columns)], cell_size=96)


def _html(
    rows: Sequence[Row], conditions: str, drawn: Sequence[tuple[str, str]], sheets: Sequence[str]
) -> str:
    shown = [(name, head) for name, head in _COLUMNS if any(name in row.figures for row in rows)]
    heads = "".join(f"<th>{html.escape(head)}</th>" for _, head in shown)
    lines = "".join(
        f"<tr><th>{html.escape(row.recipe)}</th>"
        + "".join(f"<td>{cell(row, name)}</td>" for name, _ in shown)
        + "</tr>"
        for row in rows
    )
    figures = "".join(
        f'<h2>{html.escape(title)}</h2><img src="{file}" alt="{html.escape(title)}">'
        for file, title in drawn
    )
    pictures = "".join(
        f'<p><img src="{html.escape(file)}" alt="{html.escape(file)}"></p>' for file in sheets
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>modelsheet bench likeness'
        f"</title><style>{_STYLE}</style><h1>modelsheet bench likeness</h1>"
        f"<p>{html.escape(conditions)} Beside each figure stands its 95 % confidence interval over "
        f"the subjects.</p>{figures}<h2>All figures</h2><div><table><tr><th></th>{heads}</tr>"
        f"{lines}</table></div><pre>{html.escape(table(rows))}</pre><h2>The pictures</h2>"
        f"<p>The first seed of every prompt, none left out.</p>{pictures}</html>\n"
    )
