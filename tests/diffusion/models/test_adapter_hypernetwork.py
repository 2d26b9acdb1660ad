"""A hypernetwork's prediction is a LoRA like any other: the adapter that begins with it paints as
the hypernetwork was trained to.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from modelsheet.api.learn import TrainingOverrides
from modelsheet.diffusion.families.stable_diffusion.model import StableDiffusion
from modelsheet.diffusion.models.adapter_hypernetwork import AdapterHypernetwork, picture_tensor
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.hyperparameters import AdapterShape
from modelsheet.diffusion.training.adapter import TrainableAdapter
from modelsheet.diffusion.training.report import relative_change
from modelsheet_benchmarks.standalone_training import benchmark_request, standalone_session
from sprite_training.sprite32.hypernetwork import adapted_layers, predicted_adapters

RANK = 4
SHAPE = AdapterShape(rank=6, text_encoder_rank=2, feed_forward=True, convolutions=True)


@pytest.fixture
def network(sd15: StableDiffusion) -> AdapterHypernetwork:
    torch.manual_seed(4)
    network = AdapterHypernetwork(adapted_layers(sd15), rank=RANK, width=8)
    for up in network.ups:
        torch.nn.init.normal_(up, std=0.2)
    return network.requires_grad_(False)


def _predict(base: BaseModel) -> torch.Tensor:
    noise = torch.randn(1, base.latent_channels, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return base.predict(noise, torch.tensor([400]), base.encode_prompts(["an imp"]))


def test_the_adapter_paints_as_the_hypernetwork_did_in_training(
    sd15: StableDiffusion, network: AdapterHypernetwork, pictures: list[Image.Image]
) -> None:
    seen = torch.stack([picture_tensor(picture) for picture in pictures])
    cores = network.cores(seen[None], torch.ones(1, len(seen)))
    plain = _predict(sd15)
    with predicted_adapters(sd15.unet, network, cores):
        trained = _predict(sd15)
    adapter = TrainableAdapter(sd15, replace(SHAPE, text_encoder_rank=0), seed=0)
    try:
        adapter.begin_from(network.predict(pictures))
        learnt = _predict(sd15)
    finally:
        adapter.detach()

    assert float((trained - plain).abs().max()) > 0.01
    torch.testing.assert_close(learnt, trained, rtol=1e-4, atol=1e-5)


def test_what_was_predicted_is_no_change_by_learning(
    sd15: StableDiffusion, network: AdapterHypernetwork, pictures: list[Image.Image]
) -> None:
    adapter = TrainableAdapter(sd15, replace(SHAPE, text_encoder_rank=0), seed=0)
    try:
        adapter.begin_from(network.predict(pictures))
        whole = relative_change(sd15.unet, {})
        before = relative_change(sd15.unet, adapter.predicted)
        for parameter in adapter.parameters("unet"):
            parameter.data.mul_(1.5)
        after = relative_change(sd15.unet, adapter.predicted)
    finally:
        adapter.detach()

    assert whole > 0.01
    assert before < whole / 1000
    assert after == pytest.approx(1.25 * whole, rel=1e-3)


def test_pictures_that_are_not_there_do_not_count(
    network: AdapterHypernetwork, pictures: list[Image.Image]
) -> None:
    seen = torch.stack([picture_tensor(picture) for picture in pictures])
    alone = network.cores(seen[None, :2], torch.ones(1, 2))
    padded = network.cores(seen[None], torch.tensor([[1.0, 1.0, 0.0]]))

    torch.testing.assert_close(padded, alone)
    assert not torch.allclose(network.cores(seen[None], torch.ones(1, 3)), alone)


def test_an_adapter_of_fewer_ranks_or_layers_takes_what_fits(
    sd15: StableDiffusion, network: AdapterHypernetwork, pictures: list[Image.Image]
) -> None:
    predicted = network.predict(pictures)
    small = TrainableAdapter(sd15, replace(SHAPE, rank=RANK - 1), seed=0)
    small.begin_from(predicted)
    empty = all(bool((value == 0).all()) for name, value in small.state().items() if "_B." in name)
    small.detach()
    plain = TrainableAdapter(sd15, replace(SHAPE, convolutions=False), seed=0)
    plain.begin_from(predicted)
    filled = [bool((v != 0).any()) for k, v in plain.state().items() if "unet" in k and "_B." in k]
    plain.detach()

    assert empty
    assert all(filled)


def test_it_is_read_as_it_was_written(
    network: AdapterHypernetwork, pictures: list[Image.Image], tmp_path: Path
) -> None:
    network.save(tmp_path / "folder" / "model.safetensors")
    read = AdapterHypernetwork.load(tmp_path / "folder" / "model.safetensors")

    before, after = network.predict(pictures), read.predict(pictures)
    assert before.keys() == after.keys()
    for name, (down, up) in before.items():
        torch.testing.assert_close(after[name][0], down, rtol=2e-3, atol=1e-3)
        torch.testing.assert_close(after[name][1], up, rtol=2e-2, atol=5e-3)


def test_a_base_without_one_predicts_nothing(
    sd15: BaseModel, klein: BaseModel, pictures: list[Image.Image]
) -> None:
    assert sd15.initial_adapter(pictures) == {}
    assert klein.initial_adapter(pictures) == {}


@pytest.mark.parametrize("is_wanted", [True, False])
def test_learning_begins_with_the_prediction_unless_it_is_not_wanted(
    sd15: StableDiffusion,
    network: AdapterHypernetwork,
    pictures: list[Image.Image],
    tmp_path: Path,
    is_wanted: bool,
) -> None:
    network.save(tmp_path / "hypernetwork.safetensors")
    base = replace(sd15, hypernetwork=tmp_path / "hypernetwork.safetensors")
    overrides = TrainingOverrides(training_steps=1, hypernetwork=is_wanted)
    request = benchmark_request("imp", pictures, base_model="sd15", overrides=overrides)

    with standalone_session(base, request, pictures, tmp_path) as session:
        state = session.adapter.state()

    ups = [value for name, value in state.items() if "unet" in name and "_B." in name]
    assert ups
    assert all(bool((value != 0).any()) == is_wanted for value in ups)
