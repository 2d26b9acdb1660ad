"""A report says by how much the last step is worse than the best, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from PIL import Image

from modelsheet.api.learn import LearnReport, LikenessPoint, PresetName, TrainingOverrides
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.training.adapter import TrainableAdapter
from modelsheet.diffusion.training.presets import hyperparameters_for
from modelsheet.diffusion.training.report import learn_report, relative_change
from modelsheet.prompts.captions import PromptTemplate
from tests.diffusion.training.test_trainer import HYPERPARAMETERS, make_trainer, stir

WELL = LikenessPoint(
    step=30, subject_fidelity=0.8, prompt_fidelity=0.3, prior_drift=0.02, score=0.91
)
RUINED = LikenessPoint(
    step=900,
    subject_fidelity=0.5,
    prompt_fidelity=0.1,
    prior_drift=0.4,
    score=-0.25,
    text_drift=0.6,
)


def report(
    base: BaseModel, preset: PresetName, curve: Sequence[LikenessPoint], word: str = "ktn"
) -> LearnReport:
    hyperparameters = hyperparameters_for("sd15", preset, TrainingOverrides())
    reference = hyperparameters_for("sd15", "balanced", TrainingOverrides())
    adapter = TrainableAdapter(base, HYPERPARAMETERS.shape, seed=0)
    try:
        return learn_report(
            hyperparameters,
            reference,
            PromptTemplate(word, "cat", "sd15"),
            curve,
            kept_step=900,
            steps=900,
            adapter=adapter,
        )
    finally:
        adapter.detach()


def test_a_ruined_subject_is_explained(sd15: BaseModel) -> None:
    said = report(sd15, "write-up", [WELL, RUINED])

    assert (said.best, said.final) == (WELL, RUINED)
    long, drift, text, name = said.findings
    assert "0.91 at step 30 and -0.25 at step 900" in long
    assert "likeness 0.80 → 0.50" in long
    assert "yet the last step was kept" in long
    assert (
        drift
        == "Pictures of the class drifted by 0.400: nothing held the class, for there was no prior."
    )
    assert "its learning rate of 0.003 is 300 times the usual 1e-05" in text
    assert "tokens (k + tn" in name or "tokens (k" in name


def test_a_well_learnt_one_has_nothing_to_explain(sd15: BaseModel) -> None:
    from modelsheet.diffusion.training import identifier

    word = identifier.candidates(sd15)[0]

    assert report(sd15, "balanced", [WELL], word).findings == []


def test_the_change_is_measured_against_the_weights(
    sd15: BaseModel, pictures: list[Image.Image]
) -> None:
    trainer = make_trainer(sd15, pictures, replace(HYPERPARAMETERS, training_steps=1))
    try:
        before = relative_change(sd15.unet, {})
        stir(trainer)
        layers = [m for m in sd15.unet.modules() if hasattr(m, "get_delta_weight")]
        after = relative_change(sd15.unet, {})
        with torch.no_grad():
            changes = [_product(layer) for layer in layers]
            by_hand = sum(c.square().sum() for c in changes)
            whole = sum(layer.get_base_layer().weight.square().sum() for layer in layers)
    finally:
        trainer.adapter.detach()

    assert before == 0.0
    assert after == pytest.approx(float((by_hand / whole).sqrt()), rel=1e-4)


def _product(layer: torch.nn.Module) -> torch.Tensor:
    """B times A, alpha being the rank; a convolution's A has the kernel."""
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    return up.flatten(1) @ down.flatten(1)
