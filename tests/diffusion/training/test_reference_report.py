"""The report compares references alone, what was learnt, and both, where the base takes them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from PIL import Image

from modelsheet.api.learn import LearnReport, LearnRequest, TrainingOverrides
from modelsheet.api.types import ImageRef
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.clip_encoders import FOLDER, load_clip
from modelsheet.diffusion.sampling.plain_generation import SamplingSettings, sample_latents
from modelsheet.diffusion.training import validation
from modelsheet.diffusion.training.learning_session import LearningEnvironment, LearningSession
from tests.diffusion.tiny import write_clip

Call = tuple[str, int, bool]  # first prompt, references, whether the adapter was on


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """What was painted in validations."""
    found: list[Call] = []

    def sampled(base: BaseModel, settings: SamplingSettings) -> torch.Tensor:
        layers = (each for each in base.denoiser.modules() if isinstance(each, BaseTunerLayer))
        is_on = not any(layer.disable_adapters for layer in layers)
        found.append((settings.prompts[0], len(settings.references), is_on))
        return sample_latents(base, settings)

    monkeypatch.setattr(validation, "sample_latents", sampled)
    return found


def learnt(base: BaseModel, pictures: list[Image.Image], clips: Path, folder: Path) -> LearnReport:
    request = LearnRequest(
        name="Imp",
        class_noun="cat",
        identifier="",
        base_model=base.id,
        images=[ImageRef(blob="0" * 64, width=48, height=48)] * len(pictures),
        overrides=TrainingOverrides(training_steps=2),
    )
    environment = LearningEnvironment((), (), folder / "cache", load_clip(base, clips))
    (folder / "staging").mkdir()
    with LearningSession(base, request, pictures, folder / "job", environment) as session:
        session.prepare()
        list(session.events())
        return session.finish(folder / "staging")


def test_the_three_are_compared_with_the_same_prompts(
    klein: BaseModel,
    data_dir: Path,
    tmp_path: Path,
    pictures: list[Image.Image],
    calls: list[Call],
) -> None:
    write_clip(tmp_path / "models" / FOLDER, data_dir / "models" / "sd15" / "tokenizer")

    report = learnt(klein, pictures, tmp_path / "models", tmp_path)

    assert report.by_references is not None
    assert report.by_both is not None
    assert (report.by_references.step, report.by_both.step) == (0, report.kept_step)
    assert report.findings[0].startswith("Likeness by its pictures alone ")
    alone, both = calls[-2:]
    given = "cat from images 1 to 3, on a plain white background"
    assert alone == (f"a photo of {given}", 3, False)
    assert both[0].endswith(given)
    assert both[0] != alone[0]
    assert both[1:] == (3, True)


def test_nothing_is_added_where_the_base_takes_none(
    sd15: BaseModel, tmp_path: Path, pictures: list[Image.Image], calls: list[Call]
) -> None:
    report = learnt(sd15, pictures, tmp_path, tmp_path)

    assert report.best is not None
    assert (report.by_references, report.by_both) == (None, None)
    assert {references for _, references, _ in calls} == {0}
