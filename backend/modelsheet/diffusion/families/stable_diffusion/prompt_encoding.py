"""Encode prompts with weights, and prompts longer than the text encoder's window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from modelsheet.diffusion.models.base_model import BaseModel, PromptEmbeds
from modelsheet.prompts.syntax import parse_weights


@dataclass(frozen=True)
class _Tokens:
    """Token ids for one text encoder, without begin and end, and the weight of each."""

    ids: list[int]
    weights: list[float]


@torch.inference_mode()
def encode_prompt(base: BaseModel, prompt: str) -> PromptEmbeds:
    """Encode one prompt (1, tokens, width), with the adapters that are active.

    A long prompt is encoded in windows, which are concatenated. A prompt without weights that fits
    one window is encoded exactly as the base's pipeline does it.
    """
    encoders = range(len(base.tokenizers))
    tokens = [_tokenize(base, prompt, which) for which in encoders]
    sizes = [_window_size(base, which) for which in encoders]
    windows = max(max(1, -(-len(t.ids) // size)) for t, size in zip(tokens, sizes, strict=True))
    parts = [
        _encode(base, [_window(t, size, index) for t, size in zip(tokens, sizes, strict=True)])
        for index in range(windows)
    ]
    # The pooled embedding is the summary of a prompt: that of its first window.
    return PromptEmbeds(torch.cat([part.hidden for part in parts], dim=1), parts[0].pooled)


@torch.inference_mode()
def batch_embeds(base: BaseModel, embeds: Sequence[PromptEmbeds], tokens: int = 0) -> PromptEmbeds:
    """Batch prompt embeddings; shorter ones are padded with empty windows, to `tokens` at least."""
    longest = max([tokens, *(each.hidden.shape[1] for each in embeds)])
    hidden = [each.hidden for each in embeds]
    if any(each.shape[1] < longest for each in hidden):
        empty = _encode_empty(base)
        hidden = [_pad(each, empty, longest) for each in hidden]
    pooled = [each.pooled for each in embeds if each.pooled is not None]
    return PromptEmbeds(torch.cat(hidden), torch.cat(pooled) if pooled else None)


def _pad(hidden: torch.Tensor, empty: torch.Tensor, length: int) -> torch.Tensor:
    missing = (length - hidden.shape[1]) // empty.shape[1]
    return torch.cat([hidden, *[empty] * missing], dim=1)


def _tokenize(base: BaseModel, prompt: str, which: int) -> _Tokens:
    tokenizer = base.tokenizers[which]
    ids: list[int] = []
    weights: list[float] = []
    for part in parse_weights(prompt):
        part_ids = tokenizer(part.text, add_special_tokens=False, verbose=False).input_ids
        ids += part_ids
        weights += [part.weight] * len(part_ids)
    return _Tokens(ids, weights)


def _window_size(base: BaseModel, which: int) -> int:
    """Return the number of tokens in a window between its begin and its end."""
    return int(base.tokenizers[which].model_max_length) - 2


def _window(tokens: _Tokens, size: int, index: int) -> _Tokens:
    window = slice(index * size, (index + 1) * size)
    return _Tokens(tokens.ids[window], tokens.weights[window])


def _encode(base: BaseModel, windows: Sequence[_Tokens]) -> PromptEmbeds:
    ids = [_with_special_tokens(base, window.ids, which) for which, window in enumerate(windows)]
    embeds = base.encode_tokens(ids)
    weights = [_with_special_weights(base, window.weights) for window in windows]
    if all(weight == 1.0 for window in weights for weight in window):
        return embeds
    # Both tokenizers of SDXL split the prompt alike, save for rare tokens: the first one's count.
    scale = embeds.hidden.new_tensor(weights[0])[None, :, None]
    return PromptEmbeds(torch.lerp(_encode_empty(base), embeds.hidden, scale), embeds.pooled)


def _encode_empty(base: BaseModel) -> torch.Tensor:
    """Encode an empty window: a weight scales a token's distance from it."""
    encoders = range(len(base.text_encoders))
    return base.encode_tokens([_with_special_tokens(base, [], which) for which in encoders]).hidden


def _with_special_tokens(base: BaseModel, ids: list[int], which: int) -> torch.Tensor:
    """Return a window's ids (1, window) with begin, end and padding."""
    tokenizer = base.tokenizers[which]
    window = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
    padding = [tokenizer.pad_token_id] * (int(tokenizer.model_max_length) - len(window))
    return torch.tensor([window + padding], device=base.device)


def _with_special_weights(base: BaseModel, weights: list[float]) -> list[float]:
    length = int(base.tokenizers[0].model_max_length)
    return ([1.0, *weights] + [1.0] * length)[:length]
