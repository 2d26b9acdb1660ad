"""Draw the plots of a benchmark's page, with matplotlib and without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from modelsheet_benchmarks.fidelity.evaluation import BenchmarkResults, SubjectResult
from modelsheet_benchmarks.fidelity.result_table import ResultRow

# Okabe and Ito's colours, which colour-blind people tell apart, and marks for prints in grey.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999")
_MARKS = "osD^vP*X"
_GUIDE = "#666666"
_DPI = 110


def draw(folder: Path, results: BenchmarkResults) -> list[tuple[str, str]]:
    """Draw all plots that there are metrics for; return each file's name and title."""
    drawn = [("fidelity.png", "Likeness and obedience", _fidelity(results.rows))]
    if all("both_right" in row.metrics for row in results.rows):
        drawn.append(("right.png", "Right pictures", _right(results.rows)))
    if any(result.learnt.curve for each in results.results.values() for result in each):
        drawn.append(("curve.png", "Likeness over time", _curves(results)))
    for file, _, figure in drawn:
        figure.savefig(folder / file, dpi=_DPI)
    return [(file, title) for file, title, _ in drawn]


def _fidelity(rows: Sequence[ResultRow]) -> Figure:
    figure, (left, right) = _panels(2, len(rows))
    _dots(left, rows, "subject_fidelity", _COLOURS[0], 0.0)
    first = rows[0].metrics
    _guides(left, {"untuned base": first["base_fidelity"], "real pictures": first["real_fidelity"]})
    left.set_xlabel("subject fidelity (CLIP-I, cosine)")
    _dots(right, rows, "prompt_fidelity", _COLOURS[1], 0.0)
    bounds = {"untuned base": first["base_prompt_fidelity"]}
    if "real_prompt_fidelity" in first:
        bounds["real pictures"] = first["real_prompt_fidelity"]
    _guides(right, bounds)
    right.set_xlabel("prompt fidelity (CLIP-T, cosine)")
    for axes in (left, right):
        least, most = axes.get_xlim()
        axes.set_xlim(min(0.0, least), most + 0.05 * (most - least))
    return figure


def _right(rows: Sequence[ResultRow]) -> Figure:
    figure, (axes,) = _panels(1, len(rows))
    named = ("subject_right", "prompt_right", "both_right")
    for index, name in enumerate(named):
        label = name.replace("_", " ")
        _dots(axes, rows, name, _COLOURS[index], 0.22 * (index - 1), _MARKS[index], label)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("share of pictures, bars: 95 % interval over the subjects")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def _curves(results: BenchmarkResults) -> Figure:
    figure = Figure(figsize=(10, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for index, (name, by_subject) in enumerate(results.results.items()):
        seconds, fidelity = mean_curve(by_subject)
        if seconds:
            colour, mark = _COLOURS[index % 8], _MARKS[index % 8]
            axes.plot(seconds, fidelity, label=name, color=colour, marker=mark)
    axes.set_xlabel("seconds since learning began, mean over the subjects")
    axes.set_ylabel("subject fidelity of the validations (cosine)")
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return figure


def mean_curve(results: Sequence[SubjectResult]) -> tuple[list[float], list[float]]:
    """Return seconds and subject fidelity of each validation, as means over the subjects with so
    many; it ends where fewer than half have them.
    """
    curves = [result.learnt.curve for result in results]
    longest = max(len(curve) for curve in curves)
    seconds, fidelity = list[float](), list[float]()
    for number in range(longest):
        there = [curve[number] for curve in curves if len(curve) > number]
        if 2 * len(there) < len(curves):
            break
        seconds.append(mean(curve_point.seconds for curve_point in there))
        fidelity.append(mean(curve_point.point.subject_fidelity for curve_point in there))
    return seconds, fidelity


def _panels(count: int, rows: int) -> tuple[Figure, Sequence[Axes]]:
    """Lay out panels side by side with a line a method, the first method on top."""
    figure = Figure(figsize=(5.5 * max(count, 1.6), 1.6 + 0.45 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    panels: Sequence[Axes] = figure.subplots(1, count, sharey=True, squeeze=False)[0]
    return figure, panels


def _dots(
    axes: Axes,
    rows: Sequence[ResultRow],
    name: str,
    colour: str,
    offset: float,
    mark: str = "o",
    label: str | None = None,
) -> None:
    values = [row.metrics[name] for row in rows]
    ends = [row.intervals.get(name, (v, v)) for row, v in zip(rows, values, strict=True)]
    # By bootstrap a mean may lie a hair outside of its interval.
    bars = [
        [max(0.0, value - least) for value, (least, _) in zip(values, ends, strict=True)],
        [max(0.0, most - value) for value, (_, most) in zip(values, ends, strict=True)],
    ]
    places = [index + offset for index in range(len(rows))]
    axes.errorbar(values, places, xerr=bars, fmt=mark, color=colour, capsize=3, label=label)
    axes.set_yticks(range(len(rows)), [row.method for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="x", alpha=0.3)


def _guides(axes: Axes, bounds: Mapping[str, float]) -> None:
    """Draw lines with their labels above them, aligned apart where they are near."""
    lowest, highest = min(bounds.values()), max(bounds.values())
    are_near = lowest < highest < 1.2 * lowest
    for label, value in bounds.items():
        axes.axvline(value, color=_GUIDE, linestyle="--", linewidth=1)
        axes.annotate(
            label,
            (value, 1.0),
            xycoords=("data", "axes fraction"),
            ha=("right" if value == lowest else "left") if are_near else "center",
            va="bottom",
            fontsize="small",
            color=_GUIDE,
        )
