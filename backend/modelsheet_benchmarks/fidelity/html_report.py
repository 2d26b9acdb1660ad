"""Write a benchmark's results as an HTML page: plots with confidence intervals, table and images.

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
from modelsheet_benchmarks.fidelity.evaluation import BenchmarkResults, SubjectResult
from modelsheet_benchmarks.fidelity.result_table import ResultRow, cell, table
from modelsheet_benchmarks.subjects import BenchmarkSubject

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


def load_plots() -> ModuleType:
    """Import the module of plots. Raises ModelsheetError where matplotlib is missing."""
    try:
        return importlib.import_module("modelsheet_benchmarks.fidelity.plots")
    except ModuleNotFoundError as error:
        raise ModelsheetError(
            f'Plots need {error.name}, which is not installed: pip install "modelsheet[bench]".'
        ) from error


def write_page(folder: Path, results: BenchmarkResults, conditions: str) -> Path:
    """Write index.html, its plots and one contact sheet a subject; return the page's path.

    Raises ModelsheetError where matplotlib is missing.
    """
    draw = load_plots().draw
    folder.mkdir(parents=True, exist_ok=True)
    plots = draw(folder, results)
    sheets = []
    for index, subject in enumerate(results.subjects):
        by_method = {name: each[index] for name, each in results.results.items()}
        sheets.append(f"{subject.name}.png")
        subject_sheet(subject, by_method).save(folder / sheets[-1])
    page = folder / "index.html"
    page.write_text(_html(results.rows, conditions, plots, sheets), "utf-8")
    return page


def subject_sheet(subject: BenchmarkSubject, results: Mapping[str, SubjectResult]) -> Image.Image:
    """Draw a contact sheet: references, then a row of true images and a row a method, of the same
    prompts and seeds. Captions are the prompts' suffixes below the first of these rows, and the
    row's name below its first image.
    """
    suffixes = list(subject.prompts)[:_MOST_COLUMNS]
    shown = (
        {"truth": {each: truths[0] for each, truths in subject.truths.items()}}
        if subject.truths
        else {}
    )
    shown |= {
        name: {each: result.generated[each][0] for each in suffixes}
        for name, result in results.items()
    }
    references = zip(subject.references, subject.captions, strict=True)
    rows = [[Cell(picture, caption) for picture, caption in references]]
    for number, (name, pictures) in enumerate(shown.items()):
        rows.append(
            [
                Cell(pictures[each], "" if number else each, "" if column else name)
                for column, each in enumerate(suffixes)
            ]
        )
    columns = max(len(row) for row in rows)
    blank = Cell(Image.new("RGBA", (1, 1)))
    cells = [cell for row in rows for cell in row + [blank] * (columns - len(row))]
    title = f"{subject.name}: references, then what was asked"
    return draw_contact_sheet([Section(title, cells, columns)], cell_size=96)


def _html(
    rows: Sequence[ResultRow],
    conditions: str,
    drawn: Sequence[tuple[str, str]],
    sheets: Sequence[str],
) -> str:
    shown = [(name, head) for name, head in _COLUMNS if any(name in row.metrics for row in rows)]
    heads = "".join(f"<th>{html.escape(head)}</th>" for _, head in shown)
    lines = "".join(
        f"<tr><th>{html.escape(row.method)}</th>"
        + "".join(f"<td>{cell(row, name)}</td>" for name, _ in shown)
        + "</tr>"
        for row in rows
    )
    metrics = "".join(
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
        f"the subjects.</p>{metrics}<h2>All figures</h2><div><table><tr><th></th>{heads}</tr>"
        f"{lines}</table></div><pre>{html.escape(table(rows))}</pre><h2>The pictures</h2>"
        f"<p>The first seed of every prompt, none left out.</p>{pictures}</html>\n"
    )
