"""Train the hypernetwork on composed subjects: the adapter that it predicts from some pictures of a
subject has to paint the subject's other pictures, and to leave the class as it is.

Shapes: S subjects, B pictures to paint, the last P of which show the class alone; L layers, R the
rank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from modelsheet.diffusion.families.stable_diffusion.model import StableDiffusion
from modelsheet.diffusion.families.stable_diffusion.noise import stratified_timesteps
from modelsheet.diffusion.families.stable_diffusion.presets import SPRITE32_BALANCED
from modelsheet.diffusion.models.adapter_hypernetwork import AdapterHypernetwork, LayerShape
from modelsheet.diffusion.training.loss import per_sample_mse
from sprite_training.device import Accelerator
from sprite_training.sprite32.subject_pool import SubjectBatch, SubjectPool
from sprite_training.training_stage import TrainingStage

_SNR_GAMMA = 5.0
_PRIOR_WEIGHT = 2.0  # as in learning
_CORE_PENALTY = 1e-4  # L2: cores stay small enough to learn on from
_REFRESH_EVERY = 10  # steps
_TIMES_SEEN = 6  # each subject, until another takes its place


@dataclass(frozen=True)
class BatchSize:
    """Subjects a step, pictures of each, and pictures of the class."""

    subjects: int = 8
    pictures: int = 3
    class_pictures: int = 4


def train_hypernetwork(
    base: StableDiffusion,
    network: AdapterHypernetwork,
    pool: SubjectPool,
    stage: TrainingStage,
    accelerator: Accelerator,
    size: BatchSize,
) -> None:
    """Train within the stage's budget; the base stays as it is."""

    def loss_at(step: int) -> torch.Tensor:
        if step % _REFRESH_EVERY == _REFRESH_EVERY - 1:
            pool.refresh(max(1, size.subjects * _REFRESH_EVERY // _TIMES_SEEN))
        batch = pool.draw(size.subjects, size.pictures, size.class_pictures)
        cores = network.cores(accelerator.move(batch.pictures), accelerator.move(batch.present))
        with accelerator.autocast():
            loss = _denoising_loss(base, network, cores, batch, accelerator)
        return loss + _CORE_PENALTY * cores.square().mean()

    stage.run(loss_at)


def adapted_layers(base: StableDiffusion) -> list[LayerShape]:
    """List the layers of the UNet that learning adapts."""
    ends = base.adapter_targets(SPRITE32_BALANCED.shape)[base.denoiser_name].layers
    return [
        LayerShape.of(name, layer)
        for name, layer in base.unet.named_modules()
        if name.endswith(tuple(f".{end}" for end in ends))
    ]


def _denoising_loss(
    base: StableDiffusion,
    network: AdapterHypernetwork,
    cores: torch.Tensor,
    batch: SubjectBatch,
    accelerator: Accelerator,
) -> torch.Tensor:
    """Compute the loss of painting a batch, each picture with its subject's cores (S, L, R, R)."""
    latents, masks = accelerator.move(batch.latents), accelerator.move(batch.masks)
    count = len(latents)
    own = count - batch.class_pictures
    schedule, noise = base.noise_schedule, torch.randn_like(latents)
    timesteps = accelerator.move(
        torch.cat([stratified_timesteps(n, base.noise_scheduler) for n in (own, count - own)])
    )
    noisy = schedule.add_noise(latents, noise, timesteps)
    with torch.no_grad():
        hidden = base.encode_prompts(batch.prompts).hidden
        class_target = base.unet(noisy[own:], timesteps[own:], hidden[own:]).sample
    with predicted_adapters(base.unet, network, cores[accelerator.move(batch.owners)]):
        predicted = base.unet(noisy, timesteps, hidden).sample.float()
    target = schedule.target(latents[:own], noise[:own], timesteps[:own])
    weights = schedule.loss_weights(timesteps, _SNR_GAMMA)
    subject = per_sample_mse(predicted[:own], target, masks[:own])
    prior = per_sample_mse(predicted[own:], class_target.float())
    return (subject * weights[:own]).mean() + _PRIOR_WEIGHT * (prior * weights[own:]).mean()


@contextmanager
def predicted_adapters(
    unet: nn.Module, network: AdapterHypernetwork, cores: torch.Tensor
) -> Iterator[None]:
    """Add to each picture of a batch its own LoRA, of cores (B, L, R, R), while the block runs."""
    modules = dict(unet.named_modules())
    factors = zip(network.layers, network.downs, network.ups, cores.unbind(1), strict=True)
    handles = [
        modules[layer.name].register_forward_hook(_lora_hook(down, up, own))
        for layer, down, up, own in factors
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


_Hook = Callable[[nn.Module, Sequence[torch.Tensor], torch.Tensor], torch.Tensor]


def _lora_hook(down: torch.Tensor, up: torch.Tensor, cores: torch.Tensor) -> _Hook:
    def add(layer: nn.Module, inputs: Sequence[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
        [x] = inputs
        if isinstance(layer, nn.Conv2d):
            low = F.conv2d(x, down, stride=layer.stride, padding=layer.padding)
            mixed = torch.bmm(cores.to(low.dtype), low.flatten(2)).view(low.shape)
            return output + F.conv2d(mixed, up)
        low = F.linear(x, down).flatten(1, -2)
        mixed = torch.bmm(low, cores.to(low.dtype).transpose(1, 2))
        return output + F.linear(mixed, up).view(output.shape)

    return add
