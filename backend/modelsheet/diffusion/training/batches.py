"""What one pass learns from, drawn at random: instances with their prior, noise and timesteps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.training.dataset import Instance
from modelsheet.diffusion.training.loss import stratified_timesteps
from modelsheet.diffusion.training.presets import Hyperparameters


@dataclass(frozen=True)
class PriorExamples:
    """What holds the class: prompts without the identifier and, for class images, their latents."""

    prompts: Sequence[str]
    latents: torch.Tensor | None = None


@dataclass(frozen=True)
class Batch:
    """Rows of one size. `latents`, `noise`: (B, C, h, w); `timesteps`: (B,); `mask`: (B, 1, h, w),
    None where every part of a picture counts alike.
    """

    latents: torch.Tensor
    noise: torch.Tensor
    timesteps: torch.Tensor
    prompts: list[str]
    mask: torch.Tensor | None = None


class BatchSource:
    """Draws batches; the loop's only random numbers, all from `generator`.

    Each picture comes as often as any other, in random order, as a random one of its views. A batch
    has pictures of one size; sizes take turns by how many pictures they have.
    """

    def __init__(
        self,
        base: BaseModel,
        instances: Sequence[Instance],
        prior: PriorExamples,
        recipe: Hyperparameters,
        generator: torch.Generator,
    ) -> None:
        self._base, self._prior, self._recipe = base, prior, recipe
        self._scheduler = base.noise_scheduler
        self.generator = generator
        self._pictures = _by_size_and_picture(instances)
        self._queues: dict[str, list[int]] = {size: [] for size in self._pictures}
        self._turns: list[str] = []

    @property
    def prompts(self) -> list[str]:
        """All prompts that may come."""
        views = [v for pictures in self._pictures.values() for each in pictures for v in each]
        return ["", *self._prior.prompts, *(view.prompt for view in views)]

    def draw(self) -> tuple[Batch, Batch | None]:
        """Instances and, where the recipe has one, their prior."""
        chosen = self._draw_instances()
        latents = torch.stack([instance.latents for instance in chosen])
        mask = torch.stack([instance.mask for instance in chosen]) if self._recipe.masked else None
        prompts = [
            "" if self._uniform() < self._recipe.caption_dropout else instance.prompt
            for instance in chosen
        ]
        batch = self._noised(latents, prompts, mask)
        return batch, self._draw_prior(latents) if self._recipe.prior_batch else None

    def position(self) -> dict[str, Any]:
        """Where it stands, as plain JSON, beside the generator's state."""
        return {"queues": self._queues, "turns": self._turns}

    def restore(self, position: Mapping[str, Any]) -> None:
        self._queues = {size: list(queue) for size, queue in position["queues"].items()}
        self._turns = list(position["turns"])

    def _draw_instances(self) -> list[Instance]:
        size = self._next_size()
        pictures, queue, chosen = self._pictures[size], self._queues[size], []
        for _ in range(self._recipe.batch):
            if not queue:
                queue += torch.randperm(len(pictures), generator=self.generator).tolist()
            views = pictures[queue.pop()]
            chosen.append(views[self._integer(len(views))])
        return chosen

    def _next_size(self) -> str:
        if len(self._pictures) == 1:
            return next(iter(self._pictures))
        if not self._turns:
            turns = [size for size, pictures in self._pictures.items() for _ in pictures]
            order = torch.randperm(len(turns), generator=self.generator).tolist()
            self._turns = [turns[index] for index in order]
        return self._turns.pop()

    def _draw_prior(self, instance_latents: torch.Tensor) -> Batch:
        """The base's own pictures, or the instances' latents under prompts without identifier."""
        count, prior = self._recipe.prior_batch, self._prior
        if prior.latents is None:
            rows = [self._integer(len(instance_latents)) for _ in range(count)]
            picks = [self._integer(len(prior.prompts)) for _ in range(count)]
            return self._noised(instance_latents[rows], [prior.prompts[pick] for pick in picks])
        picks = [self._integer(len(prior.latents)) for _ in range(count)]
        return self._noised(prior.latents[picks], [prior.prompts[pick] for pick in picks])

    def _noised(
        self, latents: torch.Tensor, prompts: list[str], mask: torch.Tensor | None = None
    ) -> Batch:
        device = self._base.device
        noise = torch.randn(latents.shape, generator=self.generator).to(device)
        timesteps = stratified_timesteps(len(latents), self._scheduler, self.generator)
        return Batch(latents, noise, timesteps.to(device), prompts, mask)

    def _integer(self, below: int) -> int:
        return int(torch.randint(below, (1,), generator=self.generator))

    def _uniform(self) -> float:
        return float(torch.rand(1, generator=self.generator))


def _by_size_and_picture(instances: Sequence[Instance]) -> dict[str, list[list[Instance]]]:
    """The views of each picture, by the size of their latents."""
    sizes: dict[str, dict[int, list[Instance]]] = {}
    for instance in instances:
        height, width = instance.latents.shape[-2:]
        pictures = sizes.setdefault(f"{width}x{height}", {})
        pictures.setdefault(instance.picture, []).append(instance)
    return {size: list(pictures.values()) for size, pictures in sizes.items()}
