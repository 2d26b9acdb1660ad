"""Figures over all subjects of a benchmark: means, shares of their bounds, confidence intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
_RESAMPLINGS = 2000
_OUTER = (2.5, 97.5)  # percentiles: 95 % of the resamplings lie between
# A share is the way gone from the untuned base to real pictures, or of what the base reaches.
_WAYS = ("", "masked_", "dino_", "masked_dino_")
_MAIN = (
    ("subject_fidelity", "subject fid"),
    ("subject_fidelity_share", "its share"),
    ("prompt_fidelity_share", "prompt share"),
    ("prior_drift", "prior drift"),
    ("subject_right", "subject right"),
    ("prompt_right", "prompt right"),
    ("both_right", "both right"),
    ("seconds", "seconds"),
)


@dataclass(frozen=True)
class Row:
    """One recipe over all subjects. `intervals` are of 95 %, by bootstrap over the subjects, and
    empty for a single one. `subjects` maps each subject to its own figures.
    """

    recipe: str
    figures: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    subjects: Mapping[str, Mapping[str, float]]

    def as_json(self) -> dict[str, object]:
        """The figures beside the recipe's name; those of true pictures null where none are."""
        missing = {name: None for name, _ in _MAIN if name not in self.figures}
        intervals = {name: list(ends) for name, ends in self.intervals.items()}
        own = {name: dict(each) for name, each in self.subjects.items()}
        return {
            "recipe": self.recipe,
            **self.figures,
            **missing,
            "intervals": intervals,
            "subjects": own,
        }


def row_of(recipe: str, subjects: Mapping[str, Mapping[str, float]]) -> Row:
    """Sum up one recipe's figures by subject."""
    samples = _samples(len(subjects))
    figures = _figures(subjects, np.arange(len(subjects))[None])
    drawn = _figures(subjects, samples) if len(subjects) > 1 else {}
    return Row(
        recipe,
        {name: float(values[0]) for name, values in figures.items()},
        {name: _interval(values) for name, values in drawn.items()},
        subjects,
    )


def lead(first: Row, other: Row, name: str) -> tuple[float, tuple[float, float]]:
    """By how much the first is ahead in a figure, and its interval over the subjects, each
    compared with itself.
    """
    ahead = np.array([mine[name] for mine in first.subjects.values()]) - np.array(
        [theirs[name] for theirs in other.subjects.values()]
    )
    drawn = ahead[_samples(len(ahead))].mean(1)
    return float(ahead.mean()), _interval(drawn)


def table(rows: Sequence[Row]) -> str:
    """The main columns, each with its interval."""
    shown = [(name, head) for name, head in _MAIN if any(name in row.figures for row in rows)]
    width = max(len(row.recipe) for row in rows) + 2
    lines = [" " * width + "".join(head.ljust(22) for _, head in shown)]
    for row in rows:
        cells = "".join(cell(row, name).ljust(22) for name, _ in shown)
        lines.append(f"{row.recipe:{width}}{cells}".rstrip())
    for other in rows[1:]:
        if "both_right" in rows[0].figures and len(rows[0].subjects) > 1:
            ahead, (least, most) = lead(rows[0], other, "both_right")
            lines.append(
                f"{rows[0].recipe} is ahead of {other.recipe} in both right by {ahead:.3f} "
                f"({least:.3f} to {most:.3f})"
            )
    return "\n".join(lines)


def cell(row: Row, name: str) -> str:
    """A figure and its interval in words; "–" where it was not measured."""
    if name not in row.figures:
        return "–"
    digits = 1 if name == "seconds" else 3
    said = f"{row.figures[name]:.{digits}f}"
    if name in row.intervals:
        least, most = row.intervals[name]
        said += f" ({least:.{digits}f}–{most:.{digits}f})"
    return said


def _samples(count: int) -> npt.NDArray[np.intp]:
    """Subjects drawn with replacement, the same every time: (resamplings, subjects)."""
    rng = np.random.default_rng(0)
    return rng.integers(count, size=(_RESAMPLINGS, count))


def _figures(
    subjects: Mapping[str, Mapping[str, float]], samples: npt.NDArray[np.intp]
) -> dict[str, Values]:
    """Means over each sample of subjects, and shares of those means."""
    common = set.intersection(*(set(each) for each in subjects.values()))
    names = [name for name in next(iter(subjects.values())) if name in common]
    means: dict[str, Values] = {
        name: np.array([each[name] for each in subjects.values()])[samples].mean(1)
        for name in names
    }
    for way in _WAYS:
        if f"{way}subject_fidelity" in means:
            lowest = means[f"{way}base_fidelity"]
            whole = means[f"{way}real_fidelity"] - lowest
            gone = means[f"{way}subject_fidelity"] - lowest
            means[f"{way}subject_fidelity_share"] = _ratio(gone, whole)
    means["prompt_fidelity_share"] = _ratio(means["prompt_fidelity"], means["base_prompt_fidelity"])
    return means


def _ratio(above: Values, below: Values) -> Values:
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)


def _interval(values: Values) -> tuple[float, float]:
    least, most = np.percentile(values, _OUTER)
    return float(least), float(most)
