"""Summarize metrics over all subjects of a benchmark: means, shares of bounds, 95 % intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
_RESAMPLINGS = 2000
_OUTER = (2.5, 97.5)  # percentiles: 95 % of the resamplings lie between
# A share of subject fidelity lies between the untuned base (0) and real images (1); that of prompt
# fidelity is of the base's.
_VARIANTS = ("", "masked_", "dino_", "masked_dino_")
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
class ResultRow:
    """One method over all subjects. `intervals` are of 95 %, by bootstrap over the subjects, and
    empty for a single one. `subjects` maps each subject to its own metrics.
    """

    method: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    subjects: Mapping[str, Mapping[str, float]]

    def as_json(self) -> dict[str, object]:
        """Return metrics, intervals and subjects as JSON values; metrics without true images are
        null.
        """
        missing = {name: None for name, _ in _MAIN if name not in self.metrics}
        intervals = {name: list(ends) for name, ends in self.intervals.items()}
        own = {name: dict(each) for name, each in self.subjects.items()}
        return {
            "recipe": self.method,
            **self.metrics,
            **missing,
            "intervals": intervals,
            "subjects": own,
        }


def result_row(method: str, subjects: Mapping[str, Mapping[str, float]]) -> ResultRow:
    """Summarize one method's metrics by subject."""
    samples = _samples(len(subjects))
    metrics = _sample_metrics(subjects, np.arange(len(subjects))[None])
    drawn = _sample_metrics(subjects, samples) if len(subjects) > 1 else {}
    return ResultRow(
        method,
        {name: float(values[0]) for name, values in metrics.items()},
        {name: _interval(values) for name, values in drawn.items()},
        subjects,
    )


def paired_mean_lead(
    first: ResultRow, other: ResultRow, name: str
) -> tuple[float, tuple[float, float]]:
    """Return the mean lead of the first row in a metric, and its interval: paired by subject."""
    ahead = np.array([mine[name] for mine in first.subjects.values()]) - np.array(
        [theirs[name] for theirs in other.subjects.values()]
    )
    drawn = ahead[_samples(len(ahead))].mean(1)
    return float(ahead.mean()), _interval(drawn)


def table(rows: Sequence[ResultRow]) -> str:
    """Format the main columns, each with its interval, as text."""
    shown = [(name, head) for name, head in _MAIN if any(name in row.metrics for row in rows)]
    width = max(len(row.method) for row in rows) + 2
    lines = [" " * width + "".join(head.ljust(22) for _, head in shown)]
    for row in rows:
        cells = "".join(cell(row, name).ljust(22) for name, _ in shown)
        lines.append(f"{row.method:{width}}{cells}".rstrip())
    for other in rows[1:]:
        if "both_right" in rows[0].metrics and len(rows[0].subjects) > 1:
            ahead, (least, most) = paired_mean_lead(rows[0], other, "both_right")
            lines.append(
                f"{rows[0].method} is ahead of {other.method} in both right by {ahead:.3f} "
                f"({least:.3f} to {most:.3f})"
            )
    return "\n".join(lines)


def cell(row: ResultRow, name: str) -> str:
    """Format a metric and its interval; "–" where it was not measured."""
    if name not in row.metrics:
        return "–"
    digits = 1 if name == "seconds" else 3
    text = f"{row.metrics[name]:.{digits}f}"
    if name in row.intervals:
        least, most = row.intervals[name]
        text += f" ({least:.{digits}f}–{most:.{digits}f})"
    return text


def _samples(count: int) -> npt.NDArray[np.intp]:
    """Draw subject indices with replacement, the same every time: (resamplings, subjects)."""
    rng = np.random.default_rng(0)
    return rng.integers(count, size=(_RESAMPLINGS, count))


def _sample_metrics(
    subjects: Mapping[str, Mapping[str, float]], samples: npt.NDArray[np.intp]
) -> dict[str, Values]:
    """Compute means over each sample of subjects, and shares of those means."""
    common = set.intersection(*(set(each) for each in subjects.values()))
    names = [name for name in next(iter(subjects.values())) if name in common]
    means: dict[str, Values] = {
        name: np.array([each[name] for each in subjects.values()])[samples].mean(1)
        for name in names
    }
    for variant in _VARIANTS:
        if f"{variant}subject_fidelity" in means:
            lowest = means[f"{variant}base_fidelity"]
            whole = means[f"{variant}real_fidelity"] - lowest
            gone = means[f"{variant}subject_fidelity"] - lowest
            means[f"{variant}subject_fidelity_share"] = _ratio(gone, whole)
    means["prompt_fidelity_share"] = _ratio(means["prompt_fidelity"], means["base_prompt_fidelity"])
    return means


def _ratio(above: Values, below: Values) -> Values:
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)


def _interval(values: Values) -> tuple[float, float]:
    least, most = np.percentile(values, _OUTER)
    return float(least), float(most)
