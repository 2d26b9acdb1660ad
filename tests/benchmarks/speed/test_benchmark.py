"""The comparisons of the speed benchmark, and the ratios it computes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from modelsheet.api.learn import LikenessPoint, TrainingOverrides
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.training.learning_session import LearningSession
from modelsheet_benchmarks.diffusers_script import ProcessCost
from modelsheet_benchmarks.speed import benchmark, time_to_likeness
from modelsheet_benchmarks.speed.benchmark import measure
from modelsheet_benchmarks.speed.ours_vs_diffusers import PairedBenchmark
from modelsheet_benchmarks.speed.time_to_likeness import seconds_to_likeness
from modelsheet_benchmarks.standalone_training import benchmark_request
from modelsheet_benchmarks.subjects import BenchmarkSubject


@dataclass(frozen=True)
class Pretended(PairedBenchmark):
    """A start of 10 s for both; then our steps take 1 s, theirs 3 s, a validation 5 s, class images
    100 s.
    """

    def ours(self, steps: int, *, prior: bool, validated: bool) -> ProcessCost:
        return ProcessCost(10.0 + steps + 5.0 * validated, 2000, 8.0 + steps + 5.0 * validated)

    def theirs(self, steps: int, *, prior: bool) -> ProcessCost:
        return ProcessCost(10.0 + 3 * steps + 100.0 * prior, 3000, 9.0 + 3 * steps)

    def first_image(self, *, use_diffusers: bool) -> ProcessCost:
        return ProcessCost(4.0 if use_diffusers else 5.0, 1)


@pytest.fixture
def subject() -> BenchmarkSubject:
    picture = Image.new("RGBA", (8, 8), "red")
    return BenchmarkSubject("fox", "fox", [picture], [""], {}, {})


@pytest.fixture
def bench(sd15: BaseModel, subject: BenchmarkSubject, tmp_path: Path) -> Pretended:
    return Pretended(
        script=tmp_path / "script.py",
        base=sd15,
        data_dir=tmp_path,
        subject=subject,
        batch=1,
        class_images=10,
        inference_steps=1,
    )


def test_ratios_are_theirs_over_ours(bench: Pretended, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "seconds_to_likeness", lambda subject, base: 60.0)

    found = measure(bench, steps=60, rounds=1)

    assert found.whole_job_ratio == (10 + 180 + 100) / (10 + 60 + 5)
    assert (found.our_step_s, found.their_step_s) == (1.0, 3.0)
    assert found.step_ratio == 3.0
    assert found.memory_ratio == 1.5
    assert found.time_to_likeness_ratio == 4500 * 3.0 / 60.0
    assert found.cold_generation_ratio == 0.8
    assert found.generation_ratio > 0.0


def test_random_weights_have_no_likeness(bench: Pretended) -> None:
    found = measure(replace(bench, subject=None), steps=60, rounds=1)

    assert asdict(found)["time_to_likeness_ratio"] is None
    assert found.whole_job_ratio == (10 + 180 + 100) / (10 + 60)


def test_the_time_to_likeness_excludes_validation(
    sd15: BaseModel, pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    validated_steps: list[int] = []
    rising = iter([0.5, 0.94, 0.96, 1.0])

    def validate(self: LearningSession) -> None:
        validated_steps.append(self.trainer.step)
        point = LikenessPoint(
            step=self.trainer.step,
            subject_fidelity=next(rising),
            prompt_fidelity=0.0,
            prior_drift=0.0,
            score=0.0,
        )
        self.curve.append(point)

    ticks = iter(float(n) for n in range(10_000))
    monkeypatch.setattr(time_to_likeness.time, "process_time", lambda: next(ticks))
    monkeypatch.setattr(LearningSession, "validate_last_step", validate)
    monkeypatch.setattr(time_to_likeness, "_VALIDATION_STEPS", 2)
    brief = TrainingOverrides(training_steps=8, batch=1, prior="none")
    request = partial(benchmark_request, overrides=brief)
    monkeypatch.setattr(time_to_likeness.standalone_training, "benchmark_request", request)

    taken = seconds_to_likeness(
        BenchmarkSubject("imp", "cat", pictures, [""] * len(pictures), {}, {}), sd15
    )

    assert validated_steps == [2, 4, 6, 8]
    assert taken == 6.0  # a tick a step: subject fidelity passes 95 % after the sixth
