"""Train a subject's adapter: a generator of optimizer steps, resumable to the byte."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.cpu_threads import AdaptiveRunner, halves_batches
from modelsheet.diffusion.models.hyperparameters import Hyperparameters
from modelsheet.diffusion.training.adapter import TrainableAdapter
from modelsheet.diffusion.training.batches import Batch, BatchSampler, PriorExamples
from modelsheet.diffusion.training.checkpoint import TrainingCheckpoint
from modelsheet.diffusion.training.conditioning import Conditioning
from modelsheet.diffusion.training.dataset import Instance
from modelsheet.diffusion.training.loss import per_sample_mse
from modelsheet.diffusion.training.optimizer import (
    make_optimizer,
    optimizer_numbers,
    optimizer_tensors,
    restore_optimizer,
    set_rates,
)
from modelsheet.diffusion.training.process_group import ProcessGroup
from modelsheet.diffusion.training.recorded_step import (
    CudaGraphs,
    Graphs,
    StepConditioning,
    StepInputs,
    StepRecorder,
)
from modelsheet.errors import LearningDiverged, UnsafeModel

_MAX_GRADIENT_NORM = 1.0
_OUT_OF_BOUNDS = 1000.0  # an untrained network's loss is about 1, noise having unit variance


@dataclass(frozen=True)
class StepResult:
    """The losses of one optimizer step's batches; `step` counts from 1."""

    step: int
    total: int
    instance_loss: float
    prior_loss: float

    @property
    def loss(self) -> float:
        return self.instance_loss + self.prior_loss


class Trainer:
    """The training loop with all of its state: adapter, optimizer, sampler, step. All of its
    random numbers are the sampler's.
    """

    def __init__(
        self,
        base: BaseModel,
        adapter: TrainableAdapter,
        instances: Sequence[Instance],
        prior: PriorExamples,
        hyperparameters: Hyperparameters,
        seed: int,
        graphs: Graphs | None = None,
    ) -> None:
        self.base, self.adapter, self.hyperparameters = base, adapter, hyperparameters
        self.schedule = base.noise_schedule
        generator = torch.Generator().manual_seed(seed)
        self.sampler = BatchSampler(base, instances, prior, hyperparameters, generator)
        self.conditioning = Conditioning(base, adapter, self.sampler.prompts)
        self.step = 0
        self._process_group = ProcessGroup()
        self._saves_memory = False
        self._runner = AdaptiveRunner()
        # fp16's small gradients would be lost; bf16 and fp32 need no scaling.
        needs_scaling = base.dtype is torch.float16
        self.scaler = torch.amp.GradScaler(base.device.type, enabled=needs_scaling)
        if graphs is None and base.device.type == "cuda":
            graphs = CudaGraphs()
        self._recorder: StepRecorder | None = None
        if graphs is not None and self._is_recordable:
            self._recorder = StepRecorder(self._whole_step, graphs)
        is_recorded = self._recorder is not None
        self.optimizer = make_optimizer(adapter, hyperparameters, is_recorded=is_recorded)

    def steps(self) -> Iterator[StepResult]:
        """Take optimizer steps until the last. Raises UnsafeModel, LearningDiverged, and
        WorkerCrashed where processes share the steps.
        """
        while self.step < self.hyperparameters.training_steps:
            yield self._advance()

    def snapshot(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return tensors and position of a checkpoint from which training ends with the same
        bytes.
        """
        tensors = {f"adapter.{name}": value for name, value in self.adapter.state().items()}
        tensors |= optimizer_tensors(self.optimizer, "optimizer.")
        tensors["generator"] = self.sampler.generator.get_state()
        numbers = optimizer_numbers(self.optimizer)
        position = {"optimizer": numbers, "scaler": self.scaler.state_dict()}
        return tensors, self.sampler.position() | position

    def restore(self, saved: TrainingCheckpoint) -> None:
        """Load the state that `snapshot` took."""
        prefix = "adapter."
        self.adapter.load_state(
            {k[len(prefix) :]: v for k, v in saved.tensors.items() if k.startswith(prefix)}
        )
        numbers = saved.position["optimizer"]
        restore_optimizer(self.optimizer, saved.tensors, "optimizer.", numbers)
        self.scaler.load_state_dict(saved.position["scaler"])
        self.sampler.generator.set_state(saved.tensors["generator"])
        self.sampler.restore(saved.position)
        self.step = saved.step

    @property
    def saves_memory(self) -> bool:
        """True once the device had too little memory: activations are then computed twice, and
        modules that the loop does not use lie on the CPU.
        """
        return self._saves_memory

    @contextmanager
    def data_parallel(self, group: ProcessGroup) -> Iterator[None]:
        """Share the batches of each step with the group's processes while the block runs.

        Raises WorkerCrashed when they do not begin from the same state.
        """
        group.require_equal_state(self.step, self.snapshot()[0])
        self._process_group = group
        try:
            yield
        finally:
            self._process_group = ProcessGroup()

    @contextmanager
    def all_modules_on_device(self) -> Iterator[None]:
        """Move idle modules back to the device while the block runs."""
        self._move_idle(self.base.device)
        try:
            yield
        finally:
            if self._saves_memory:
                self._move_idle(torch.device("cpu"))

    def release(self) -> None:
        """Move the base's modules back to the device and end gradient checkpointing."""
        self._move_idle(self.base.device)
        self.base.denoiser.disable_gradient_checkpointing()

    def _move_idle(self, device: torch.device) -> None:
        """Move the modules that the loop does not use, as images and prompts are encoded."""
        self.base.place_encoders(device, with_text=not self.adapter.trains_text)

    def _advance(self) -> StepResult:
        set_rates(self.optimizer, self.step, self.hyperparameters)
        drawn = [self.sampler.draw() for _ in range(self.hyperparameters.accumulation)]
        instance, prior = self._run_recorder(drawn) or self._update(drawn)
        self.step += 1
        return StepResult(self.step, self.hyperparameters.training_steps, instance, prior)

    @property
    def _is_recordable(self) -> bool:
        """Prodigy and a scaler read numbers from the device at every step, and of several batches
        each has a recording of its own.
        """
        chosen = self.hyperparameters
        is_plain = chosen.optimizer == "adamw" and chosen.accumulation == chosen.processes == 1
        return chosen.cuda_graphs and is_plain and not self.scaler.is_enabled()

    def _update(self, drawn: Sequence[tuple[Batch, Batch | None]]) -> tuple[float, float]:
        """Take an optimizer step; return the losses."""
        parameters = self._parameters()
        instance, prior = self._process_group.all_reduce(parameters, self._backward(drawn))
        self._require_bounded(instance + prior)
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(parameters, _MAX_GRADIENT_NORM)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return instance, prior

    def _run_recorder(
        self, drawn: Sequence[tuple[Batch, Batch | None]]
    ) -> tuple[float, float] | None:
        """Take a recorded step; None where there is no recorder, or too little memory for it."""
        if self._recorder is None:
            return None
        [(batch, prior)] = drawn
        if prior is not None and prior.latents.shape[1:] != batch.latents.shape[1:]:
            return None
        try:
            losses = self._recorder.run(self.conditioning.step_inputs(batch, prior))
        except torch.OutOfMemoryError:
            self._recorder = None
            self._save_memory()
            return None
        instance, prior_loss = losses.tolist()
        self._require_bounded(instance + prior_loss)
        return instance, prior_loss

    def _whole_step(self, inputs: StepInputs) -> torch.Tensor:
        """Take an optimizer step without reading a number from the device; returns the instance and
        the prior loss, (2,).
        """
        self.optimizer.zero_grad(set_to_none=True)
        conditioning = StepConditioning(self.base, inputs)
        instance, prior = self._losses(inputs.batch, inputs.prior, conditioning)
        torch.autograd.backward(instance + prior)
        torch.nn.utils.clip_grad_norm_(self._parameters(), _MAX_GRADIENT_NORM)
        self.optimizer.step()
        return torch.stack([instance.detach(), prior.detach()])

    def _parameters(self) -> list[torch.nn.Parameter]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def _backward(self, drawn: Sequence[tuple[Batch, Batch | None]]) -> tuple[float, float]:
        """Compute gradients; return this process' part of the batches' mean losses. Begins again
        with gradient checkpointing where there was too little memory.
        """
        try:
            return self._accumulate(drawn)
        except torch.OutOfMemoryError:
            if self._saves_memory:
                raise
        self._save_memory()
        return self._accumulate(drawn)

    def _save_memory(self) -> None:
        self._saves_memory = True
        self._move_idle(torch.device("cpu"))
        self.base.denoiser.enable_gradient_checkpointing()
        self.optimizer.zero_grad(set_to_none=True)
        if self.base.device.type == "cuda":
            torch.cuda.empty_cache()

    def _accumulate(self, drawn: Sequence[tuple[Batch, Batch | None]]) -> tuple[float, float]:
        instances, priors, share = 0.0, 0.0, 1 / len(drawn)
        for batch, prior_batch in self._process_group.shard(drawn):
            # Gradients of two parts have the same sum in either order, those of more have not.
            if len(drawn) == 1 < len(batch.prompts) and halves_batches(self.base):
                return self._accumulate_halves(batch, prior_batch)
            instance, prior = self._accumulate_part(batch, prior_batch, share, share)
            instances += instance
            priors += prior
        return instances, priors

    def _accumulate_halves(self, batch: Batch, prior: Batch | None) -> tuple[float, float]:
        """Compute the gradients of a step's only batch in two parts; return its losses."""
        count, others = len(batch.prompts), 0
        if prior is not None:
            others = len(prior.prompts)
            self.conditioning.original(prior.prompts)  # kept from now on: that is not for threads
        middle = min((count + others + 1) // 2, count - 1)
        first, rest = batch.rows(slice(middle)), batch.rows(slice(middle, None))
        halves = [
            lambda: self._accumulate_part(first, None, middle / count, 1.0),
            lambda: self._accumulate_part(rest, prior, (count - middle) / count, 1.0),
        ]
        instances, priors = zip(*self._runner.run(halves), strict=True)
        return sum(instances), sum(priors)

    def _accumulate_part(
        self, batch: Batch, prior: Batch | None, share: float, prior_share: float
    ) -> tuple[float, float]:
        """Compute gradients of shares of the instance and the prior loss; return these shares."""
        instance, prior_loss = self._losses(batch, prior, self.conditioning)
        instance, prior_loss = instance * share, prior_loss * prior_share
        torch.autograd.backward(self.scaler.scale(instance + prior_loss))
        return float(instance.detach()), float(prior_loss.detach())

    def _require_bounded(self, loss: float) -> None:
        """Raise UnsafeModel when the loss is unbounded at the first step, as with a damaged base;
        later LearningDiverged.
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

    def _losses(
        self, batch: Batch, prior: Batch | None, conditioning: Conditioning | StepConditioning
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the instance loss and the weighted prior loss, by one pass through the networks
        where latent sizes agree.
        """
        batches = [batch] if prior is None else [batch, prior]
        predicted = self._predict(batches, conditioning)
        instance = self._loss(batch, predicted[0])
        if prior is None:
            return instance, torch.zeros_like(instance)
        if self.hyperparameters.prior == "no-images":
            loss = per_sample_mse(predicted[1], self._original(prior, conditioning)).mean()
        else:
            loss = self._loss(prior, predicted[1])
        return instance, self.hyperparameters.prior_loss_weight * loss

    def _loss(self, batch: Batch, predicted: torch.Tensor) -> torch.Tensor:
        target = self.schedule.target(batch.latents, batch.noise, batch.timesteps)
        loss = per_sample_mse(predicted, target, batch.mask)
        gamma = self.hyperparameters.snr_gamma
        weights = None if gamma is None else self.schedule.loss_weights(batch.timesteps, gamma)
        return (loss if weights is None else loss * weights).mean()

    def _predict(
        self, batches: Sequence[Batch], conditioning: Conditioning | StepConditioning
    ) -> Sequence[torch.Tensor]:
        if len({batch.latents.shape[1:] for batch in batches}) > 1:
            return [self._predict([batch], conditioning)[0] for batch in batches]
        prompts = [prompt for batch in batches for prompt in batch.prompts]
        predicted = self.base.predict(
            torch.cat([self._noisy_latents(batch) for batch in batches]),
            torch.cat([batch.timesteps for batch in batches]),
            conditioning.tuned(prompts),
        )
        parts: Sequence[torch.Tensor] = predicted.split([len(batch.prompts) for batch in batches])
        return parts

    @torch.no_grad()
    def _original(
        self, batch: Batch, conditioning: Conditioning | StepConditioning
    ) -> torch.Tensor:
        """Predict without the adapter."""
        embeds = conditioning.original(batch.prompts)
        base = self.adapter.base_without_lora
        return base.predict(self._noisy_latents(batch), batch.timesteps, embeds)

    def _noisy_latents(self, batch: Batch) -> torch.Tensor:
        return self.schedule.add_noise(batch.latents, batch.noise, batch.timesteps)
