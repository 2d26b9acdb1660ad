"""Prompt embeddings: plain prompts as by diffusers, weighted ones moved, long ones whole."""

from __future__ import annotations

import pytest
import torch

from modelsheet.diffusion.families.stable_diffusion.prompt_encoding import (
    batch_embeds,
    encode_prompt,
)
from modelsheet.diffusion.models.base_model import BaseModel

LONG = ", ".join(["a red slime", "an imp", "a bat"] * 30)


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_a_plain_prompt_is_encoded_as_by_the_pipeline(
    family: str, request: pytest.FixtureRequest
) -> None:
    base: BaseModel = request.getfixturevalue(family)

    ours, theirs = (
        encode_prompt(base, "a red slime, an imp"),
        base.encode_prompts(["a red slime, an imp"]),
    )

    torch.testing.assert_close(ours.hidden, theirs.hidden)
    if theirs.pooled is not None:
        torch.testing.assert_close(ours.pooled, theirs.pooled)


def test_a_weight_moves_its_word_away_from_nothing(sd15: BaseModel) -> None:
    empty = encode_prompt(sd15, "").hidden
    plain = encode_prompt(sd15, "a red slime").hidden

    heavy = encode_prompt(sd15, "a (red:1.5) slime").hidden
    gone = encode_prompt(sd15, "(a red slime:0)").hidden

    changed = (heavy - plain).abs().amax(dim=-1)[0] > 1e-6
    torch.testing.assert_close(
        heavy[0, changed] - empty[0, changed], 1.5 * (plain - empty)[0, changed]
    )
    assert 0 < int(changed.sum()) < 10
    torch.testing.assert_close(gone[0, 1:4], empty[0, 1:4])


def test_a_long_prompt_is_read_to_its_end(sd15: BaseModel) -> None:
    window = sd15.tokenizers[0].model_max_length

    first, other = encode_prompt(sd15, LONG).hidden, encode_prompt(sd15, f"{LONG}, an orc").hidden

    assert first.shape[1] % window == 0
    assert first.shape[1] > 2 * window
    torch.testing.assert_close(first[:, :window], other[:, :window])
    assert not torch.equal(first[:, -window:], other[:, -window:])


def test_prompts_of_different_length_make_one_batch(sdxl: BaseModel) -> None:
    short, long = encode_prompt(sdxl, "an imp"), encode_prompt(sdxl, LONG)

    both = batch_embeds(sdxl, [short, long])

    assert both.hidden.shape == (2, *long.hidden.shape[1:])
    assert both.pooled is not None
    torch.testing.assert_close(both.hidden[0, : short.hidden.shape[1]], short.hidden[0])
