"""Evaluations of methods whose metrics are known beforehand, and of textual inversion."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from modelsheet.diffusion.models.base_model import BaseModel, image_tensor
from modelsheet.diffusion.models.clip_encoders import load_clip
from modelsheet.diffusion.sampling.plain_generation import SamplingSettings, sample_images
from modelsheet.errors import ModelMissing
from modelsheet.imaging.rgba import composite
from modelsheet_benchmarks import diffusers_script
from modelsheet_benchmarks.diffusers_script import ProcessCost, ScriptTiming
from modelsheet_benchmarks.fidelity.evaluation import Evaluation, SubjectResult
from modelsheet_benchmarks.fidelity.image_encoders import (
    Encoders,
    ImageEncoder,
    clip_encoder,
    dino_encoder,
)
from modelsheet_benchmarks.fidelity.methods import LearntSubject, ScriptMethod, differing_variants
from modelsheet_benchmarks.fidelity.textual_inversion import TextualInversion
from modelsheet_benchmarks.subjects import BenchmarkSubject, prompt_for
from tests.diffusion.conftest import view
from tests.diffusion.tiny import write_dino


@dataclass(frozen=True)
class IdleMethod:
    """Learns nothing and calls the subject by its class noun."""

    name: str = "idler"

    @contextmanager
    def learn(
        self, base: BaseModel, subject: BenchmarkSubject, time_limit_s: float | None = None
    ) -> Iterator[LearntSubject]:
        yield LearntSubject(subject.class_noun, 3.0)


@pytest.fixture(scope="module")
def subject() -> BenchmarkSubject:
    pictures = [view(shift) for shift in (0, 4, 8)]
    truths = {"with red book": [pictures[1]], "on red floor": [pictures[2].convert("RGB")]}
    truths = {asked: [each.convert("RGBA") for each in found] for asked, found in truths.items()}
    prompts = {asked: prompt_for(asked) for asked in truths}
    return BenchmarkSubject("thing", "imp", pictures[:2], ["", "with red book"], prompts, truths)


@pytest.fixture(scope="module")
def result(sd15: BaseModel, subject: BenchmarkSubject) -> SubjectResult:
    return Evaluation(
        subject, [subject], sd15, encoders(sd15), None, seeds=2, inference_steps=2
    ).evaluate(IdleMethod())


def encoders(base: BaseModel, dino: ImageEncoder | None = None) -> Encoders:
    clip = load_clip(base)
    return Encoders(clip, [clip_encoder(clip)] + ([dino] if dino else []))


def test_a_method_that_learns_nothing_has_the_base_s_metrics(result: SubjectResult) -> None:
    metrics = result.metrics

    assert metrics["prior_drift"] == 0.0
    for name in ("subject_fidelity", "masked_subject_fidelity"):
        bound = name.replace("subject", "base")
        assert metrics[name] == pytest.approx(metrics[bound])
    for name in ("prompt_fidelity", "pres", "div"):
        assert metrics[name] == pytest.approx(metrics[f"base_{name}"])
    assert metrics["div"] > 0.0
    assert metrics["seconds"] == 3.0
    assert (metrics["rivals"], metrics["rivals_composed"]) == (1, 0)


def test_true_pictures_bound_the_prompt_fidelity(
    sd15: BaseModel, subject: BenchmarkSubject, result: SubjectResult
) -> None:
    clip = load_clip(sd15)
    texts = clip.embed_texts([prompt.format("imp") for prompt in subject.prompts.values()])
    truths = [composite(subject.truths[asked][0], (255, 255, 255)) for asked in subject.prompts]

    vectors = clip.embed_images([image_tensor(truth) for truth in truths])

    expected = float((vectors * texts).sum(1).mean())
    assert result.metrics["real_prompt_fidelity"] == pytest.approx(expected, abs=1e-5)


def test_pictures_are_given_by_what_was_asked(
    sd15: BaseModel, subject: BenchmarkSubject, result: SubjectResult
) -> None:
    generated = result.generated

    assert {asked: len(each) for asked, each in generated.items()} == dict.fromkeys(
        subject.truths, 2
    )
    side = sd15.resolution
    (alone,) = sample_images(
        sd15,
        SamplingSettings(["imp, on red floor"], [3], side, side, 2, sd15.guidance_scale),
    )
    beside_others = np.asarray(generated["on red floor"][1], dtype=np.int16)
    # Some processors round a batch otherwise than a single image: one level at most.
    assert np.abs(np.asarray(alone, dtype=np.int16) - beside_others).max() <= 1


def test_one_picture_a_prompt_has_no_variety_and_photographs_no_mask(
    sd15: BaseModel, subject: BenchmarkSubject
) -> None:
    shown = [picture.convert("RGB").convert("RGBA") for picture in subject.references]
    opaque = replace(subject, references=shown, truths={}, prompts={"red": "a red {}"})

    metrics = (
        Evaluation(opaque, [opaque], sd15, encoders(sd15), None, seeds=1, inference_steps=2)
        .evaluate(IdleMethod())
        .metrics
    )

    assert {"div", "masked_subject_fidelity", "both_right"} & metrics.keys() == set()
    assert 0.0 < metrics["real_fidelity"] < 1.0 - 1e-6, "no picture is held against itself"


def test_dino_measures_beside_clip(
    sd15: BaseModel, subject: BenchmarkSubject, result: SubjectResult, tmp_path: Path
) -> None:
    write_dino(tmp_path)
    dino = dino_encoder(str(tmp_path), torch.device("cpu"))

    metrics = (
        Evaluation(subject, [subject], sd15, encoders(sd15, dino), None, seeds=1, inference_steps=2)
        .evaluate(IdleMethod())
        .metrics
    )

    for name in ("dino_subject_fidelity", "masked_dino_real_fidelity", "subject_fidelity"):
        assert name in metrics
    assert metrics["pres"] != result.metrics["pres"], "PRES is DINO's where there is one"
    wide, high = torch.rand(3, 40, 90) * 2 - 1, torch.rand(3, 300, 260) * 2 - 1
    vectors = dino.embed([wide, high])
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))
    with pytest.raises(ModelMissing, match=r"config\.json and model\.safetensors"):
        dino_encoder(str(tmp_path / "none"), torch.device("cpu"))


def test_textual_inversion_learns_one_embedding_and_leaves_the_base(
    sd15: BaseModel, subject: BenchmarkSubject
) -> None:
    side, scale = sd15.resolution, sd15.guidance_scale
    weights = [each.clone() for module in sd15.modules() for each in module.state_dict().values()]

    def generate(phrase: str) -> bytes:
        prompt = SamplingSettings([f"{phrase}, on a white background"], [0], side, side, 4, scale)
        (picture,) = sample_images(sd15, prompt)
        return picture.tobytes()

    before, method = generate("imp"), TextualInversion(load_clip(sd15), rate=0.5)
    with method.learn(sd15, subject, time_limit_s=0.0) as learnt:
        tuned = generate(learnt.phrase)
        assert generate("imp") == before

    assert len(learnt.curve) == 1, "without time there is one step, and one validation"
    assert learnt.seconds >= learnt.curve[0].seconds > 0.0
    assert tuned != generate(learnt.phrase)
    assert generate("imp") == before
    after = [each for module in sd15.modules() for each in module.state_dict().values()]
    assert all(torch.equal(one, two) for one, two in zip(weights, after, strict=True))


def test_the_script_gets_the_steps_that_fit_into_its_time(
    sd15: BaseModel, subject: BenchmarkSubject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []

    def run_script(
        script: Path, pictures: object, settings: diffusers_script.ScriptSettings, out: Path
    ) -> object:
        steps.append(settings.steps)
        return out / "weights.safetensors", ProcessCost(7.0 + 0.5 * settings.steps, 1)

    monkeypatch.setattr(diffusers_script, "run_script", run_script)
    loads = "load_lora_weights"
    monkeypatch.setattr(sd15.pipeline, loads, lambda folder, weight_name: None)
    (tmp_path / "models" / "sd15").mkdir(parents=True)
    (tmp_path / "models" / "sd15" / "model_index.json").write_text("{}")
    method = ScriptMethod(tmp_path / "script.py", tmp_path)

    for budget in (20.0, 10.0):
        with method.learn(sd15, subject, budget) as learnt:
            assert learnt.seconds == pytest.approx(budget), "its start is not counted"
    with method.learn(sd15, subject) as learnt:
        assert learnt.seconds == pytest.approx(7.0 + 0.5 * 500)

    assert steps == [5, 65, 40, 20, 500]
    assert ScriptTiming(1.0, 0.5).steps_in(0.1) == 1
    assert math.isclose(ScriptTiming(1.0, 0.5).steps_in(10.2), 20)


def test_variants_that_change_nothing_are_no_comparison(sd15: BaseModel) -> None:
    named = differing_variants(sd15)

    assert {"unmasked", "no prior", "class images", "pivotal"} <= set(named)
    assert {"masked", "no class images"}.isdisjoint(named)
