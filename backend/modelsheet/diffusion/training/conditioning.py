"""What prompts say to the network while it learns, encoded no more often than need be."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from modelsheet.diffusion.models.base_model import BaseModel, PromptEmbeds
from modelsheet.diffusion.training.adapter import LearningAdapter


class Conditioning:
    """Prompts as embeddings, of the base as it learns and as it was.

    Where the text encoders stay as they are, `prompts` are encoded once, before the loop. What the
    base made of them as it was never changes and is kept from the first time on.
    """

    def __init__(self, base: BaseModel, adapter: LearningAdapter, prompts: Sequence[str]) -> None:
        self._base, self._adapter = base, adapter
        self._kept: dict[str, PromptEmbeds] = {}
        self._ids: dict[str, list[torch.Tensor]] = {}
        if not adapter.trains_text:
            for prompt in dict.fromkeys(prompts):
                self._original(prompt)

    def tuned(self, prompts: Sequence[str]) -> PromptEmbeds:
        """Gradients flow where the text encoders learn too; equal prompts are encoded once."""
        if not self._adapter.trains_text:
            return self.original(prompts)
        distinct = list(dict.fromkeys(prompts))
        each = [self._tokenized(prompt) for prompt in distinct]
        encoded = self._base.encode_tokens([torch.cat(ids) for ids in zip(*each, strict=True)])
        places = [distinct.index(prompt) for prompt in prompts]
        # By slices: gradients of an index add up in any order on a graphics card.
        return _stacked([encoded[place : place + 1] for place in places])

    def original(self, prompts: Sequence[str]) -> PromptEmbeds:
        return _stacked([self._original(prompt) for prompt in prompts])

    def _tokenized(self, prompt: str) -> list[torch.Tensor]:
        """Ids (1, window) of each text encoder."""
        if prompt not in self._ids:
            self._ids[prompt] = self._base.tokenize_for_each([prompt])
        return self._ids[prompt]

    @torch.no_grad()
    def _original(self, prompt: str) -> PromptEmbeds:
        if prompt not in self._kept:
            with self._adapter.off():
                self._kept[prompt] = self._base.encode_tokens(self._tokenized(prompt))
        return self._kept[prompt]


def _stacked(each: Sequence[PromptEmbeds]) -> PromptEmbeds:
    pooled = [embeds.pooled for embeds in each if embeds.pooled is not None]
    hidden = torch.cat([embeds.hidden for embeds in each])
    return PromptEmbeds(hidden, torch.cat(pooled) if pooled else None)
