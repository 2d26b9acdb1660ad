"""Encode and cache the training prompts, with the adapter on and off."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from modelsheet.diffusion.models.base_model import BaseModel, PromptEmbeds
from modelsheet.diffusion.training.adapter import TrainableAdapter
from modelsheet.diffusion.training.batches import Batch
from modelsheet.diffusion.training.recorded_step import StepInputs


class Conditioning:
    """Prompt embeddings of the tuned and of the original text encoders.

    Where the text encoders are not trained, `prompts` are encoded once, before the loop. The
    original embeddings never change and are cached on first use.
    """

    def __init__(self, base: BaseModel, adapter: TrainableAdapter, prompts: Sequence[str]) -> None:
        self._base, self._adapter = base, adapter
        self._cached: dict[str, PromptEmbeds] = {}
        self._ids: dict[str, list[torch.Tensor]] = {}
        if not adapter.trains_text:
            for prompt in dict.fromkeys(prompts):
                self._original(prompt)

    def tuned(self, prompts: Sequence[str]) -> PromptEmbeds:
        """Encode with the adapter on, with gradients where the text encoders are trained; equal
        prompts are encoded once.
        """
        if not self._adapter.trains_text:
            return self.original(prompts)
        distinct = list(dict.fromkeys(prompts))
        each = [self._tokenized(prompt) for prompt in distinct]
        encoded = self._base.encode_tokens([torch.cat(ids) for ids in zip(*each, strict=True)])
        rows = [distinct.index(prompt) for prompt in prompts]
        # By slices: gradients of an index add up in any order on a GPU.
        return _stacked([encoded[row : row + 1] for row in rows])

    def original(self, prompts: Sequence[str]) -> PromptEmbeds:
        """Encode with the adapter off, without gradients."""
        return _stacked([self._original(prompt) for prompt in prompts])

    def step_inputs(self, batch: Batch, prior: Batch | None) -> StepInputs:
        """Gather all that a step computes with, prompts as embeddings or tokens."""
        class_prompts = [] if prior is None else prior.prompts
        prompts = [*batch.prompts, *class_prompts]
        original = self.original(class_prompts) if class_prompts else None
        if not self._adapter.trains_text:
            return StepInputs(batch, prior, original, self.original(prompts), ())
        each = [self._tokenized(prompt) for prompt in prompts]
        tokens = tuple(torch.cat(ids) for ids in zip(*each, strict=True))
        return StepInputs(batch, prior, original, None, tokens)

    def _tokenized(self, prompt: str) -> list[torch.Tensor]:
        """Return token ids (1, window) for each text encoder."""
        if prompt not in self._ids:
            self._ids[prompt] = self._base.tokenize([prompt])
        return self._ids[prompt]

    @torch.no_grad()
    def _original(self, prompt: str) -> PromptEmbeds:
        if prompt not in self._cached:
            with self._adapter.off():
                self._cached[prompt] = self._base.encode_tokens(self._tokenized(prompt))
        return self._cached[prompt]


def _stacked(each: Sequence[PromptEmbeds]) -> PromptEmbeds:
    pooled = [embeds.pooled for embeds in each if embeds.pooled is not None]
    hidden = torch.cat([embeds.hidden for embeds in each])
    return PromptEmbeds(hidden, torch.cat(pooled) if pooled else None)
