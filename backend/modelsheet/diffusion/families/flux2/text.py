"""Prompts of FLUX.2 klein: three hidden layers of a Qwen3, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from modelsheet.base_models.families import WEIGHING_FAMILIES
from modelsheet.errors import InvalidRequest
from modelsheet.prompts.syntax import parse_weights

LAYERS = (9, 18, 27)  # whose outputs condition the transformer
# One layer more than is read, since the last of a model is given only after its final norm.
LAYERS_READ = LAYERS[-1] + 1
WINDOW = 512  # tokens; shorter prompts are padded, longer ones cut


def tokenize(tokenizer: Any, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and attention mask (B, 512) of prompts, each as a message of a chat."""
    texts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,
        )
        for prompt in prompts
    ]
    tokens = tokenizer(
        texts, return_tensors="pt", padding="max_length", truncation=True, max_length=WINDOW
    )
    return tokens.input_ids, tokens.attention_mask


def encode(text_encoder: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return prompt embeddings (B, tokens, 3 · width). The language model's head is not needed."""
    states = text_encoder.model(
        input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False
    ).hidden_states
    return torch.cat([states[layer] for layer in LAYERS], dim=-1)


def drop_unused_layers(text_encoder: Any) -> None:
    """Free the layers above `LAYERS_READ`, a quarter of the model."""
    del text_encoder.model.layers[LAYERS_READ:]
    text_encoder.config.num_hidden_layers = len(text_encoder.model.layers)


def plain_prompt(prompt: str) -> str:
    """Return a prompt without the escapes of weights. Raises InvalidRequest: it has weights."""
    parts = parse_weights(prompt)
    if any(part.weight != 1.0 for part in parts):
        raise InvalidRequest(
            "This base model knows no weights, as in (word:1.2). Take the brackets out of the "
            "prompt, write \\( and \\) for brackets that are meant, or take a base model of one "
            f"of these: {WEIGHING_FAMILIES}."
        )
    return "".join(part.text for part in parts)
