"""Prompts with weights, and longer than the text encoder's window, as what the UNet reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from modelsheet.diffusion.models.base_model import BaseModel, PromptEmbeds
from modelsheet.prompts.syntax import parse_weights


@dataclass(frozen=True)
class _Tokens:
    """One text encoder's token ids without begin and end, and the weight of each."""

    ids: list[int]
    weights: list[float]


@torch.inference_mode()
def embed_prompt(base: BaseModel, prompt: str) -> PromptEmbeds:
    """Encode one prompt (1, tokens, width), with the adapters that are on.

    A long prompt is read window by window, and the windows stand one after the other. A prompt
    without weights that fits one window is encoded exactly as the base's pipeline does it.
    """
    read = [_tokens(base, prompt, which) for which in range(len(base.tokenizers))]
    room = [_room(base, which) for which in range(len(read))]
    windows = max(max(1, -(-len(r.ids) // size)) for r, size in zip(read, room, strict=True))
    parts = [
        _encode(base, [_cut(r, size, index) for r, size in zip(read, room, strict=True)])
        for index in range(windows)
    ]
    # The pooled embedding says what it is about: the first window does.
    return PromptEmbeds(torch.cat([part.hidden for part in parts], dim=1), parts[0].pooled)


@torch.inference_mode()
def stack(base: BaseModel, embeds: Sequence[PromptEmbeds], tokens: int = 0) -> PromptEmbeds:
    """Make one batch of prompts; shorter ones go on with empty windows, up to `tokens` at least."""
    longest = max([tokens, *(each.hidden.shape[1] for each in embeds)])
    padded = [each.hidden for each in embeds]
    if any(each.shape[1] < longest for each in padded):
        empty = _empty(base)
        padded = [_padded(each, empty, longest) for each in padded]
    pooled = [each.pooled for each in embeds if each.pooled is not None]
    return PromptEmbeds(torch.cat(padded), torch.cat(pooled) if pooled else None)


def _padded(hidden: torch.Tensor, empty: torch.Tensor, length: int) -> torch.Tensor:
    missing = (length - hidden.shape[1]) // empty.shape[1]
    return torch.cat([hidden, *[empty] * missing], dim=1)


def _tokens(base: BaseModel, prompt: str, which: int) -> _Tokens:
    tokenizer = base.tokenizers[which]
    ids: list[int] = []
    weights: list[float] = []
    for part in parse_weights(prompt):
        found = tokenizer(part.text, add_special_tokens=False, verbose=False).input_ids
        ids += found
        weights += [part.weight] * len(found)
    return _Tokens(ids, weights)


def _room(base: BaseModel, which: int) -> int:
    """How many tokens a window has between its begin and its end."""
    return int(base.tokenizers[which].model_max_length) - 2


def _cut(tokens: _Tokens, size: int, index: int) -> _Tokens:
    window = slice(index * size, (index + 1) * size)
    return _Tokens(tokens.ids[window], tokens.weights[window])


def _encode(base: BaseModel, windows: Sequence[_Tokens]) -> PromptEmbeds:
    ids = [_framed(base, window.ids, which) for which, window in enumerate(windows)]
    embeds = base.encode_tokens(ids)
    weights = [_framed_weights(base, window.weights) for window in windows]
    if all(weight == 1.0 for window in weights for weight in window):
        return embeds
    # Both encoders of SDXL cut the prompt alike, save for rare tokens: the first one's count.
    scale = embeds.hidden.new_tensor(weights[0])[None, :, None]
    return PromptEmbeds(torch.lerp(_empty(base), embeds.hidden, scale), embeds.pooled)


def _empty(base: BaseModel) -> torch.Tensor:
    """A window that says nothing: a word weighs by how far it leads away from it."""
    which = range(len(base.text_encoders))
    return base.encode_tokens([_framed(base, [], index) for index in which]).hidden


def _framed(base: BaseModel, ids: list[int], which: int) -> torch.Tensor:
    tokenizer = base.tokenizers[which]
    framed = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
    padding = [tokenizer.pad_token_id] * (int(tokenizer.model_max_length) - len(framed))
    return torch.tensor([framed + padding], device=base.device)


def _framed_weights(base: BaseModel, weights: list[float]) -> list[float]:
    length = int(base.tokenizers[0].model_max_length)
    return ([1.0, *weights] + [1.0] * length)[:length]
