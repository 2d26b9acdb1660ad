"""Prompts are encoded no more often than need be, and say the same as if each had been."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from modelsheet.diffusion.models.base_model import BaseModel, PromptEmbeds
from modelsheet.diffusion.training.adapter import TrainableAdapter
from modelsheet.diffusion.training.conditioning import Conditioning
from tests.diffusion.training.test_trainer import SHAPE

PROMPTS = ["qzw imp", "an imp", "qzw imp", "qzw imp"]


@pytest.fixture(params=["sd15", "sdxl"])
def adapter(request: pytest.FixtureRequest) -> Iterator[TrainableAdapter]:
    base: BaseModel = request.getfixturevalue(request.param)
    adapter = TrainableAdapter(base, SHAPE, seed=0)
    with torch.no_grad():
        for parameter in adapter.parameters("text_encoder"):
            parameter += 0.05
    for encoder in base.text_encoders:
        encoder.double()  # or much cancels in a gradient, which then depends on the sums' order
    yield adapter
    adapter.detach()
    for encoder in base.text_encoders:
        encoder.float()


def gradients(adapter: TrainableAdapter, embeds: PromptEmbeds) -> list[torch.Tensor]:
    """Of a loss in which every prompt weighs otherwise."""
    hidden = embeds.hidden
    weights = torch.arange(1.0, len(hidden) + 1)[:, None, None]
    loss = (hidden.square() * weights).sum()
    # SDXL reads no further than the layer before the last: what comes after has no gradient.
    found = torch.autograd.grad(
        loss, adapter.parameters("text_encoder"), allow_unused=True, materialize_grads=True
    )
    return list(found)


def test_equal_prompts_are_encoded_once_with_the_same_gradients(adapter: TrainableAdapter) -> None:
    base, encoded = adapter.base, list[int]()
    hook = base.text_encoders[0].register_forward_pre_hook(
        lambda module, ids: encoded.append(len(ids[0]))
    )

    said = Conditioning(base, adapter, []).tuned(PROMPTS)
    hook.remove()

    assert encoded == [2]
    expected = base.encode_prompts(PROMPTS)
    torch.testing.assert_close(said.hidden, expected.hidden)
    assert (said.pooled is None) == (expected.pooled is None)
    if said.pooled is not None:
        torch.testing.assert_close(said.pooled, expected.pooled)
    for ours, plain in zip(gradients(adapter, said), gradients(adapter, expected), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-6, atol=1e-6)  # sums in another order
