"""Sample training batches: instances with their prior, noise and timesteps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.hyperparameters import Hyperparameters
from modelsheet.diffusion.training.dataset import Instance


@dataclass(frozen=True)
class PriorExamples:
    """Examples for prior preservation: prompts without the identifier and, for class images, their
    latents (N, C, h, w), a row a prompt.
    """

    prompts: Sequence[str]
    latents: torch.Tensor | None = None


@dataclass(frozen=True)
class Batch:
    """Samples of one size: `latents` and `noise` (B, C, h, w), `timesteps` (B,), `mask`
    (B, 1, h, w), None where every part of a picture counts alike.
    """

    latents: torch.Tensor
    noise: torch.Tensor
    timesteps: torch.Tensor
    prompts: list[str]
    mask: torch.Tensor | None = None

    def rows(self, rows: slice) -> Batch:
        """Return some of the samples."""
        mask = None if self.mask is None else self.mask[rows]
        latents, noise, timesteps = self.latents[rows], self.noise[rows], self.timesteps[rows]
        return Batch(latents, noise, timesteps, self.prompts[rows], mask)


class BatchSampler:
    """Draw batches; the training loop's only random numbers, all from `generator`.

    Each picture comes as often as any other, in random order, as a random one of its augmented
    images. A batch has pictures of one size; a size comes as often as its number of pictures.
    """

    def __init__(
        self,
        base: BaseModel,
        instances: Sequence[Instance],
        prior: PriorExamples,
        hyperparameters: Hyperparameters,
        generator: torch.Generator,
    ) -> None:
        self._device, self._prior, self._hyperparameters = base.device, prior, hyperparameters
        self._schedule = base.noise_schedule
        self.generator = generator
        self._pictures = _by_size_and_picture(instances)
        self._queues: dict[str, list[int]] = {size: [] for size in self._pictures}
        self._sizes: list[str] = []

    @property
    def prompts(self) -> list[str]:
        """All prompts that a batch may have."""
        pictures = [each for pictures in self._pictures.values() for each in pictures]
        return ["", *self._prior.prompts, *(instance.prompt for p in pictures for instance in p)]

    def draw(self) -> tuple[Batch, Batch | None]:
        """Draw instances and, where the hyper-parameters have one, a prior batch."""
        chosen = self._draw_instances()
        latents = torch.stack([instance.latents for instance in chosen])
        mask = (
            torch.stack([instance.mask for instance in chosen])
            if self._hyperparameters.masked
            else None
        )
        prompts = [
            "" if self._uniform() < self._hyperparameters.caption_dropout else instance.prompt
            for instance in chosen
        ]
        batch = self._noised(latents, prompts, mask)
        return batch, self._draw_prior(latents) if self._hyperparameters.prior_batch else None

    def position(self) -> dict[str, Any]:
        """Return the state of the shuffled queues as plain JSON, for a checkpoint; the generator's
        state is saved beside it.
        """
        return {"queues": self._queues, "turns": self._sizes}

    def restore(self, position: Mapping[str, Any]) -> None:
        self._queues = {size: list(queue) for size, queue in position["queues"].items()}
        self._sizes = list(position["turns"])

    def _draw_instances(self) -> list[Instance]:
        size = self._next_size()
        pictures, queue, chosen = self._pictures[size], self._queues[size], []
        for _ in range(self._hyperparameters.batch):
            if not queue:
                queue += torch.randperm(len(pictures), generator=self.generator).tolist()
            augmented = pictures[queue.pop()]
            chosen.append(augmented[self._integer(len(augmented))])
        return chosen

    def _next_size(self) -> str:
        if len(self._pictures) == 1:
            return next(iter(self._pictures))
        if not self._sizes:
            sizes = [size for size, pictures in self._pictures.items() for _ in pictures]
            order = torch.randperm(len(sizes), generator=self.generator).tolist()
            self._sizes = [sizes[index] for index in order]
        return self._sizes.pop()

    def _draw_prior(self, instance_latents: torch.Tensor) -> Batch:
        """Draw class images, or the instances' latents under prompts without identifier."""
        count, prior = self._hyperparameters.prior_batch, self._prior
        if prior.latents is None:
            rows = [self._integer(len(instance_latents)) for _ in range(count)]
            picks = [self._integer(len(prior.prompts)) for _ in range(count)]
            return self._noised(instance_latents[rows], [prior.prompts[pick] for pick in picks])
        picks = [self._integer(len(prior.latents)) for _ in range(count)]
        return self._noised(prior.latents[picks], [prior.prompts[pick] for pick in picks])

    def _noised(
        self, latents: torch.Tensor, prompts: list[str], mask: torch.Tensor | None = None
    ) -> Batch:
        noise = torch.randn(latents.shape, generator=self.generator).to(self._device)
        timesteps = self._schedule.draw_timesteps(latents, self.generator)
        return Batch(latents, noise, timesteps, prompts, mask)

    def _integer(self, below: int) -> int:
        return int(torch.randint(below, (1,), generator=self.generator))

    def _uniform(self) -> float:
        return float(torch.rand(1, generator=self.generator))


def _by_size_and_picture(instances: Sequence[Instance]) -> dict[str, list[list[Instance]]]:
    """Group instances by latent size, then by picture."""
    sizes: dict[str, dict[int, list[Instance]]] = {}
    for instance in instances:
        height, width = instance.latents.shape[-2:]
        pictures = sizes.setdefault(f"{width}x{height}", {})
        pictures.setdefault(instance.picture, []).append(instance)
    return {size: list(pictures.values()) for size, pictures in sizes.items()}
