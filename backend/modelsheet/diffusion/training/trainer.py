"""The loop in which a subject is learnt: a generator that yields after every step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.training.adapter import LearningAdapter
from modelsheet.diffusion.training.batches import Batch, BatchSource, PriorExamples
from modelsheet.diffusion.training.checkpoint import Checkpoint
from modelsheet.diffusion.training.conditioning import Conditioning
from modelsheet.diffusion.training.dataset import Instance
from modelsheet.diffusion.training.loss import add_noise, per_sample_mse, target_for, weighted_loss
from modelsheet.diffusion.training.optimizer import (
    make_optimizer,
    optimizer_numbers,
    optimizer_tensors,
    restore_optimizer,
    set_rates,
)
from modelsheet.diffusion.training.presets import Hyperparameters
from modelsheet.diffusion.training.process_group import Company
from modelsheet.errors import LearningDiverged, UnsafeModel

_MAX_GRADIENT_NORM = 1.0
_OUT_OF_BOUNDS = 1000.0  # an untrained network's loss is about 1, noise having unit variance


@dataclass(frozen=True)
class StepReport:
    """`step` counts from 1; losses are of this step's batches."""

    step: int
    total: int
    instance_loss: float
    prior_loss: float

    @property
    def loss(self) -> float:
        return self.instance_loss + self.prior_loss


class Training:
    """Everything that moves while a subject is learnt. All randomness is in `source`.

    `spares_memory` once the device had too little of it: then activations are computed twice and
    what is idle is set aside. `company` are the processes that learn together.
    """

    def __init__(
        self,
        base: BaseModel,
        adapter: LearningAdapter,
        instances: Sequence[Instance],
        prior: PriorExamples,
        recipe: Hyperparameters,
        seed: int,
    ) -> None:
        self.base, self.adapter, self.recipe = base, adapter, recipe
        self.scheduler = base.noise_scheduler
        generator = torch.Generator().manual_seed(seed)
        self.source = BatchSource(base, instances, prior, recipe, generator)
        self.conditioning = Conditioning(base, adapter, self.source.prompts)
        self.step = 0
        self.company = Company()
        self.spares_memory = False
        self.optimizer = make_optimizer(adapter, recipe)
        # fp16's small gradients would be lost; bf16 and fp32 need no scaling.
        needs_scaling = base.dtype is torch.float16
        self.scaler = torch.amp.GradScaler(base.device.type, enabled=needs_scaling)

    def steps(self) -> Iterator[StepReport]:
        """Learn until the recipe's last step. Raises LearningDiverged."""
        while self.step < self.recipe.training_steps:
            yield self._advance()

    def snapshot(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Tensors and position of a checkpoint from which learning ends with the same bytes."""
        tensors = {f"adapter.{name}": value for name, value in self.adapter.state().items()}
        tensors |= optimizer_tensors(self.optimizer, "optimizer.")
        tensors["generator"] = self.source.generator.get_state()
        numbers = optimizer_numbers(self.optimizer)
        position = {"optimizer": numbers, "scaler": self.scaler.state_dict()}
        return tensors, self.source.position() | position

    def restore(self, saved: Checkpoint) -> None:
        prefix = "adapter."
        self.adapter.load_state(
            {k[len(prefix) :]: v for k, v in saved.tensors.items() if k.startswith(prefix)}
        )
        numbers = saved.position["optimizer"]
        restore_optimizer(self.optimizer, saved.tensors, "optimizer.", numbers)
        self.scaler.load_state_dict(saved.position["scaler"])
        self.source.generator.set_state(saved.tensors["generator"])
        self.source.restore(saved.position)
        self.step = saved.step

    def require_company_alike(self) -> None:
        """Raises WorkerCrashed: the others do not begin from the same place."""
        self.company.require_alike(self.step, self.snapshot()[0])

    @contextmanager
    def everything_present(self) -> Iterator[None]:
        """Bring back, for as long as the block runs, what was set aside to spare memory."""
        self._move_idle(self.base.device)
        yield
        if self.spares_memory:
            self._move_idle(torch.device("cpu"))

    def release(self) -> None:
        """Leave the base's parts where and as they were."""
        self._move_idle(self.base.device)
        self.base.unet.disable_gradient_checkpointing()

    def _move_idle(self, device: torch.device) -> None:
        """Move what the loop itself does not use, pictures and prompts being encoded already."""
        idle: list[torch.nn.Module] = [self.base.vae]
        if not self.adapter.trains_text:
            idle += self.base.text_encoders
        for module in idle:
            module.to(device)

    def _advance(self) -> StepReport:
        set_rates(self.optimizer, self.step, self.recipe)
        drawn = [self.source.draw() for _ in range(self.recipe.accumulation)]
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        instance, prior = self.company.add_up(parameters, self._gradients(drawn))
        self._require_sound(instance + prior)
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(parameters, _MAX_GRADIENT_NORM)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return StepReport(self.step, self.recipe.training_steps, instance, prior)

    def _gradients(self, drawn: Sequence[tuple[Batch, Batch | None]]) -> tuple[float, float]:
        """This process' part of the batches' mean losses; once more, sparing memory, where there
        was too little.
        """
        try:
            return self._accumulate(drawn)
        except torch.OutOfMemoryError:
            if self.spares_memory:
                raise
        self._spare_memory()
        return self._accumulate(drawn)

    def _spare_memory(self) -> None:
        self.spares_memory = True
        self._move_idle(torch.device("cpu"))
        self.base.unet.enable_gradient_checkpointing()
        self.optimizer.zero_grad(set_to_none=True)
        if self.base.device.type == "cuda":
            torch.cuda.empty_cache()

    def _accumulate(self, drawn: Sequence[tuple[Batch, Batch | None]]) -> tuple[float, float]:
        instances, priors = 0.0, 0.0
        for batch, prior_batch in self.company.share(drawn):
            instance, prior = self._losses(batch, prior_batch)
            torch.autograd.backward(self.scaler.scale((instance + prior) / len(drawn)))
            instances += float(instance.detach()) / len(drawn)
            priors += float(prior.detach()) / len(drawn)
        return instances, priors

    def _require_sound(self, loss: float) -> None:
        """Raises UnsafeModel when the base itself is unsound, as at the first step; else
        LearningDiverged.
        """
        if math.isfinite(loss) and loss < _OUT_OF_BOUNDS:
            return
        if self.step == 0:
            raise UnsafeModel(
                f"{self.base.id} gives no usable numbers (loss {loss:g}): its file is damaged. "
                "Install the base model again or take another."
            )
        raise LearningDiverged(
            f"Learning went out of bounds at step {self.step + 1}: the loss is {loss:g}. "
            "Learn again with a lower learning rate or with a preset as it is."
        )

    def _losses(self, batch: Batch, prior: Batch | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Instance and weighted prior loss, by one pass through the networks where sizes agree."""
        batches = [batch] if prior is None else [batch, prior]
        predicted = self._predict(batches)
        instance = self._loss(batch, predicted[0])
        if prior is None:
            return instance, torch.zeros_like(instance)
        if self.recipe.prior == "no-images":
            loss = per_sample_mse(predicted[1], self._original(prior)).mean()
        else:
            loss = self._loss(prior, predicted[1])
        return instance, self.recipe.prior_loss_weight * loss

    def _loss(self, batch: Batch, predicted: torch.Tensor) -> torch.Tensor:
        target = target_for(self.scheduler, batch.latents, batch.noise, batch.timesteps)
        gamma = self.recipe.snr_gamma
        return weighted_loss(
            self.scheduler, predicted, target, batch.timesteps, snr_gamma=gamma, mask=batch.mask
        ).mean()

    def _predict(self, batches: Sequence[Batch]) -> Sequence[torch.Tensor]:
        if len({batch.latents.shape[1:] for batch in batches}) > 1:
            return [self._predict([batch])[0] for batch in batches]
        prompts = [prompt for batch in batches for prompt in batch.prompts]
        predicted = self.base.predict(
            torch.cat([self._noisy(batch) for batch in batches]),
            torch.cat([batch.timesteps for batch in batches]),
            self.conditioning.tuned(prompts),
        )
        parts: Sequence[torch.Tensor] = predicted.split([len(batch.prompts) for batch in batches])
        return parts

    @torch.no_grad()
    def _original(self, batch: Batch) -> torch.Tensor:
        """What the same network says with its adapter off."""
        embeds = self.conditioning.original(batch.prompts)
        with self.adapter.off():
            return self.base.predict(self._noisy(batch), batch.timesteps, embeds)

    def _noisy(self, batch: Batch) -> torch.Tensor:
        return add_noise(self.scheduler, batch.latents, batch.noise, batch.timesteps)
