"""Estimate time and memory of learning: from the job that runs or the last one here, else from
docs/benchmarks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import psutil

from modelsheet.api.learn import Estimate, LearnRequest, LearnResult, PresetName
from modelsheet.api.models import BaseModelView
from modelsheet.base_models.families import FAMILIES, training_steps
from modelsheet.base_models.locate import family_of_base_model
from modelsheet.service.queue.job import Job
from modelsheet.service.queue.job_table import JobTable


class Estimates:
    """Estimates from finished learn jobs and constants."""

    def __init__(self, jobs: JobTable, base_models: Callable[[], Sequence[BaseModelView]]) -> None:
        self._jobs = jobs
        self._base_models = base_models

    def of(self, base_model: str, preset: PresetName) -> Estimate:
        """Estimate learning with a base model and a preset. Raises NotFound: no such base model."""
        family = family_of_base_model(base_model, self._base_models())
        steps, step_s = training_steps(family, preset), self._seen(base_model)
        told = FAMILIES[family].step_s if step_s is None else step_s
        return Estimate(
            training_steps=steps,
            seconds=None if told is None else told * steps,
            seen_here=step_s is not None,
            memory_bytes=FAMILIES[family].memory_bytes or 0,
            free_bytes=psutil.virtual_memory().available,
        )

    def _seen(self, base_model: str) -> float | None:
        """Return the seconds per step of the newest learn job on a base model, of any artist. That
        of a running job knows how busy the machine is now.
        """
        for job in (*self._jobs.in_state("running"), *self._jobs.newest()):
            if job.view.kind != "learn" or (step_s := _seconds_per_step(job)) is None:
                continue
            request = job.request
            if isinstance(request, LearnRequest) and request.base_model == base_model:
                return step_s
        return None


def _seconds_per_step(job: Job) -> float | None:
    """Return what a step of a learn job takes; None before it is known."""
    result, progress = job.view.result, job.view.progress
    if isinstance(result, LearnResult) and result.training_steps:
        return result.seconds / result.training_steps
    steps_left = progress.total - progress.step
    if job.view.state == "running" and progress.eta_s is not None and steps_left > 0:
        return progress.eta_s / steps_left
    return None
