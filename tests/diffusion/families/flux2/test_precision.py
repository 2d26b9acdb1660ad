"""A klein in fewer bits learns and predicts nearly as the whole one; how many fit is chosen."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from modelsheet.api.models import AddModelRequest
from modelsheet.base_models.manage import add_models
from modelsheet.diffusion.families.flux2 import loading
from modelsheet.diffusion.families.flux2.precision import (
    Precision,
    precision_for,
    quantization_config,
)
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.hyperparameters import AdapterShape
from modelsheet.diffusion.training.adapter import TrainableAdapter
from modelsheet.errors import OutOfMemory
from tests.diffusion.tiny import write_klein

GIB = 1 << 30
BOTH = ("torchao", "bitsandbytes")


@pytest.mark.parametrize(
    ("free", "installed", "bits"),
    [
        (40, (), 16),
        (13, BOTH, 16),
        (12, BOTH, 8),
        (8.5, ("torchao",), 8),
        (8, BOTH, 4),
        (8, ("torchao",), 8),
        (12, ("bitsandbytes",), 4),
        (2, BOTH, 4),
    ],
)
def test_the_most_bits_that_fit_are_chosen(
    free: float, installed: tuple[str, ...], bits: int
) -> None:
    chosen = precision_for(int(free * GIB), installed)

    assert chosen.bits == bits
    assert quantization_config(16) is None
    assert (f"{bits} bits" in chosen.note and "times as long" in chosen.note) == (bits < 16)


def test_without_a_library_it_is_said_what_to_install() -> None:
    with pytest.raises(OutOfMemory, match="12.0 GiB free.* takes 13.*pip install torchao bits"):
        precision_for(12 * GIB, ())


@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")
def test_four_bits_are_nf4_in_bf16() -> None:
    config = quantization_config(4)

    assert config is not None
    assert config.load_in_4bit
    assert config.bnb_4bit_quant_type == "nf4"
    assert config.bnb_4bit_compute_dtype is torch.bfloat16


def load_in(bits: int, folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> BaseModel:
    monkeypatch.setattr(loading, "choose_precision", lambda device: Precision(bits, "held"))
    add_models(AddModelRequest(path=str(folder), name=f"in-{bits}"), data)
    return load_base_model(f"in-{bits}", data, torch.device("cpu"))


def prediction(base: BaseModel) -> torch.Tensor:
    latents = torch.randn(1, base.latent_channels, 4, 4, generator=torch.Generator().manual_seed(0))
    embeds = base.encode_prompts(["a photo of cat"])
    return base.predict(latents, torch.tensor([500.0]), embeds)


@pytest.mark.skipif(
    find_spec("torchao") is None, reason="torchao, for eight bits, is not installed"
)
@pytest.mark.parametrize("autocast", [False, True], ids=["plain", "autocast"])
def test_eight_bits_learn(autocast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_klein(tmp_path / "klein")
    whole, small = (
        load_in(bits, tmp_path / "klein", tmp_path / "data", monkeypatch) for bits in (16, 8)
    )
    with torch.no_grad():
        before, rounded = prediction(whole), prediction(small)

    assert not torch.equal(before, rounded)
    assert (before - rounded).norm() < 0.05 * before.norm()
    assert list(small.notes) == ["held"]

    adapter = TrainableAdapter(small, AdapterShape(2, 0, feed_forward=False, convolutions=False), 0)
    frozen = {name: each for name, each in small.denoiser.named_parameters() if "lora" not in name}
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        prediction(small).square().mean().backward()

    gradients = [each.grad for each in adapter.parameters("transformer")]
    assert all(each is not None and each.isfinite().all() for each in gradients)
    assert any(each is not None and each.abs().sum() > 0 for each in gradients)
    assert all(each.grad is None for each in frozen.values())
