"""A subject's exam, sat by contestants whose figures are known beforehand, and by an embedding."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.clip import load_clip
from modelsheet.diffusion.sampling.plain_generation import SamplingSettings, sample_images
from modelsheet.diffusion.training.dataset import image_tensor
from modelsheet.errors import ModelMissing
from modelsheet.imaging.rgba import composite
from modelsheet_benchmarks import diffusers_script
from modelsheet_benchmarks.diffusers_script import Cost, Pace
from modelsheet_benchmarks.evaluation import Exam, Result
from modelsheet_benchmarks.image_encoders import Eyes, Senses, clip_eyes, dino_eyes
from modelsheet_benchmarks.methods import Script, Taught, differing_variants
from modelsheet_benchmarks.subjects import Doll, prompt_for
from modelsheet_benchmarks.textual_inversion import TextualInversion
from tests.diffusion.conftest import view
from tests.diffusion.tiny import write_dino


@dataclass(frozen=True)
class Idler:
    """Learns nothing and calls the subject by its class noun."""

    name: str = "idler"

    @contextmanager
    def teach(self, base: BaseModel, doll: Doll, budget_s: float | None = None) -> Iterator[Taught]:
        yield Taught(doll.class_noun, 3.0)


@pytest.fixture(scope="module")
def doll() -> Doll:
    pictures = [view(shift) for shift in (0, 4, 8)]
    truths = {"with red book": [pictures[1]], "on red floor": [pictures[2].convert("RGB")]}
    truths = {asked: [each.convert("RGBA") for each in found] for asked, found in truths.items()}
    prompts = {asked: prompt_for(asked) for asked in truths}
    return Doll("thing", "imp", pictures[:2], ["", "with red book"], prompts, truths)


@pytest.fixture(scope="module")
def result(sd15: BaseModel, doll: Doll) -> Result:
    return Exam(doll, [doll], sd15, senses(sd15), None, seeds=2, inference_steps=2).sit(Idler())


def senses(base: BaseModel, dino: Eyes | None = None) -> Senses:
    clip = load_clip(base)
    return Senses(clip, [clip_eyes(clip)] + ([dino] if dino else []))


def test_who_learns_nothing_is_where_the_base_is(result: Result) -> None:
    figures = result.figures

    assert figures["prior_drift"] == 0.0
    for name in ("subject_fidelity", "masked_subject_fidelity"):
        bound = name.replace("subject", "base")
        assert figures[name] == pytest.approx(figures[bound])
    for name in ("prompt_fidelity", "pres", "div"):
        assert figures[name] == pytest.approx(figures[f"base_{name}"])
    assert figures["div"] > 0.0
    assert figures["seconds"] == 3.0
    assert (figures["rivals"], figures["rivals_composed"]) == (1, 0)


def test_true_pictures_say_how_obedient_a_picture_can_be(
    sd15: BaseModel, doll: Doll, result: Result
) -> None:
    clip = load_clip(sd15)
    texts = clip.embed_texts([prompt.format("imp") for prompt in doll.prompts.values()])
    truths = [composite(doll.truths[asked][0], (255, 255, 255)) for asked in doll.prompts]

    vectors = clip.embed_images([image_tensor(truth) for truth in truths])

    expected = float((vectors * texts).sum(1).mean())
    assert result.figures["real_prompt_fidelity"] == pytest.approx(expected, abs=1e-5)


def test_pictures_are_given_by_what_was_asked(sd15: BaseModel, doll: Doll, result: Result) -> None:
    painted = result.painted

    assert {asked: len(each) for asked, each in painted.items()} == dict.fromkeys(doll.truths, 2)
    side = sd15.resolution
    (alone,) = sample_images(
        sd15,
        SamplingSettings(["imp, on red floor"], [3], side, side, 2, sd15.guidance_scale),
    )
    assert alone.tobytes() == painted["on red floor"][1].tobytes()


def test_one_picture_a_prompt_has_no_variety_and_photographs_no_mask(
    sd15: BaseModel, doll: Doll
) -> None:
    shown = [picture.convert("RGB").convert("RGBA") for picture in doll.references]
    opaque = replace(doll, references=shown, truths={}, prompts={"red": "a red {}"})

    figures = (
        Exam(opaque, [opaque], sd15, senses(sd15), None, seeds=1, inference_steps=2)
        .sit(Idler())
        .figures
    )

    assert {"div", "masked_subject_fidelity", "both_right"} & figures.keys() == set()
    assert 0.0 < figures["real_fidelity"] < 1.0 - 1e-6, "no picture is held against itself"


def test_dino_looks_beside_clip(
    sd15: BaseModel, doll: Doll, result: Result, tmp_path: Path
) -> None:
    write_dino(tmp_path)
    dino = dino_eyes(str(tmp_path), torch.device("cpu"))

    figures = (
        Exam(doll, [doll], sd15, senses(sd15, dino), None, seeds=1, inference_steps=2)
        .sit(Idler())
        .figures
    )

    for name in ("dino_subject_fidelity", "masked_dino_real_fidelity", "subject_fidelity"):
        assert name in figures
    assert figures["pres"] != result.figures["pres"], "PRES is DINO's where there is one"
    wide, high = torch.rand(3, 40, 90) * 2 - 1, torch.rand(3, 300, 260) * 2 - 1
    vectors = dino.embed([wide, high])
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))
    with pytest.raises(ModelMissing, match=r"config\.json and model\.safetensors"):
        dino_eyes(str(tmp_path / "none"), torch.device("cpu"))


def test_textual_inversion_learns_one_embedding_and_leaves_the_base(
    sd15: BaseModel, doll: Doll
) -> None:
    side, scale = sd15.resolution, sd15.guidance_scale
    weights = [each.clone() for module in sd15.modules() for each in module.state_dict().values()]

    def look(phrase: str) -> bytes:
        prompt = SamplingSettings([f"{phrase}, on a white background"], [0], side, side, 4, scale)
        (picture,) = sample_images(sd15, prompt)
        return picture.tobytes()

    before, contestant = look("imp"), TextualInversion(load_clip(sd15), rate=0.5)
    with contestant.teach(sd15, doll, budget_s=0.0) as taught:
        learnt = look(taught.phrase)
        assert look("imp") == before

    assert len(taught.curve) == 1, "without time there is one step, and one look at it"
    assert taught.seconds >= taught.curve[0].seconds > 0.0
    assert learnt != look(taught.phrase)
    assert look("imp") == before
    after = [each for module in sd15.modules() for each in module.state_dict().values()]
    assert all(torch.equal(one, two) for one, two in zip(weights, after, strict=True))


def test_the_script_gets_the_steps_that_fit_into_its_time(
    sd15: BaseModel, doll: Doll, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []

    def learn(
        script: Path, pictures: object, setting: diffusers_script.RivalSetting, out: Path
    ) -> object:
        steps.append(setting.steps)
        return out / "weights.safetensors", Cost(7.0 + 0.5 * setting.steps, 1)

    monkeypatch.setattr(diffusers_script, "learn", learn)
    loads = "load_lora_weights"
    monkeypatch.setattr(sd15.pipeline, loads, lambda folder, weight_name: None)
    (tmp_path / "models" / "sd15").mkdir(parents=True)
    (tmp_path / "models" / "sd15" / "model_index.json").write_text("{}")
    contestant = Script(tmp_path / "script.py", tmp_path)

    for budget in (20.0, 10.0):
        with contestant.teach(sd15, doll, budget) as taught:
            assert taught.seconds == pytest.approx(budget), "its start is not counted"
    with contestant.teach(sd15, doll) as taught:
        assert taught.seconds == pytest.approx(7.0 + 0.5 * 500)

    assert steps == [5, 65, 40, 20, 500]
    assert Pace(1.0, 0.5).steps_in(0.1) == 1
    assert math.isclose(Pace(1.0, 0.5).steps_in(10.2), 20)


def test_variants_that_change_nothing_are_no_comparison(sd15: BaseModel) -> None:
    named = differing_variants(sd15)

    assert {"unmasked", "no prior", "class images", "pivotal"} <= set(named)
    assert {"masked", "no class images"}.isdisjoint(named)
