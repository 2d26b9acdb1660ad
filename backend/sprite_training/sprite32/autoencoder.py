"""Train the autoencoder: sharp figures and flat backgrounds in 16 × 16 × 4 latents.

The encoder is trained with a KL term that keeps latents smooth, at some cost in sharpness; once it
is frozen and the UNet trained in its latents, the decoder alone is trained on without that noise.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from diffusers import AutoencoderKL

from modelsheet.diffusion.training.loss import (
    FIGURE_WEIGHT,
    add_latent_noise,
    decoding_error,
    is_extreme,
)
from sprite_training.device import Accelerator
from sprite_training.sprite32.image_pool import ImagePool
from sprite_training.training_stage import TrainingStage

KL_WEIGHT = 2e-5
FLATNESS_WEIGHT = 5.0
EDGE_WEIGHT = 5.0  # the outermost ring sees the padding of every convolution and errs most
SATURATION = 1.06  # target of decoded white, black and pure colours: safely past the clamp
_ALLOWED = 3 / 127.5  # error allowed on a background of no pure colour
_FRINGE = 3  # px side of the square around a figure's pixel that is no flat background

# Decodes a batch of (B, 3, 32, 32) in [-1, 1]; returns it with a further term of the loss.
Decode = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor | float]]


def train_autoencoder(
    vae: AutoencoderKL, pool: ImagePool, stage: TrainingStage, accelerator: Accelerator, batch: int
) -> None:
    """Train within the stage's budget, then set the scaling factor that gives latents unit
    variance.
    """

    def decode(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float]:
        posterior = vae.encode(images).latent_dist
        divergence = posterior.kl().float().mean()
        return vae.decode(posterior.sample()).sample, KL_WEIGHT * divergence

    stage.run(_loss(decode, pool, accelerator, batch))
    vae.register_to_config(scaling_factor=measured_scaling_factor(vae, pool, accelerator))


def train_decoder(
    vae: AutoencoderKL, pool: ImagePool, stage: TrainingStage, accelerator: Accelerator, batch: int
) -> None:
    """Sharpen the decoder for the latents as they are; the encoder and so every latent stays."""

    def decode(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float]:
        with torch.no_grad():
            latents = add_latent_noise(vae.encode(images).latent_dist.mean)
        return vae.decode(latents).sample, 0.0

    stage.run(_loss(decode, pool, accelerator, batch))


def _loss(
    decode: Decode, pool: ImagePool, accelerator: Accelerator, batch: int
) -> Callable[[int], torch.Tensor]:
    def loss_at(step: int) -> torch.Tensor:
        if step % 400 == 399:
            pool.refresh(pool.size // 8)
        indices = pool.draw(batch)
        images = accelerator.move(pool.images(indices))
        masks = accelerator.move(pool.masks(indices))
        with accelerator.autocast():
            decoded, more = decode(images)
        error = decoding_error(decoded.float(), images)
        flat = accelerator.move(pool.flatness(indices))
        weights = 1 + FIGURE_WEIGHT * masks
        loss = _mean(error + error.square(), weights)
        return loss + FLATNESS_WEIGHT * unevenness(decoded.float(), images, masks, flat) + more

    return loss_at


def unevenness(
    decoded: torch.Tensor, images: torch.Tensor, masks: torch.Tensor, flat: torch.Tensor
) -> torch.Tensor:
    """Return the loss of flat backgrounds that are not exactly flat.

    `masks` (B, 1, 32, 32) is 1 on figures; `flat` (B,) is 1 where the background is one colour.
    Extreme values should lie past the clamp, which cuts off their residual noise; others within an
    invisible error.
    """
    short = (SATURATION - decoded * images.sign()).clamp_min(0)
    off = ((decoded - images).abs() - _ALLOWED).clamp_min(0)
    miss = torch.where(is_extreme(images), short, off)
    away = 1 - torch.nn.functional.max_pool2d(masks, _FRINGE, 1, _FRINGE // 2)
    weights = away * _ring(images) * flat.view(-1, 1, 1, 1)
    return _mean(miss + 3 * miss.square(), weights)


def _ring(images: torch.Tensor) -> torch.Tensor:
    weights = torch.full(images.shape[-2:], 1 + EDGE_WEIGHT, device=images.device)
    weights[1:-1, 1:-1] = 1
    return weights


def _mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return (values * weights).mean() / weights.mean().clamp_min(1e-6)


@torch.no_grad()
def measured_scaling_factor(vae: AutoencoderKL, pool: ImagePool, accelerator: Accelerator) -> float:
    """Measure the factor that gives latents unit variance, over 512 images."""
    images = accelerator.move(pool.images(pool.draw(512)))
    return 1.0 / float(vae.encode(images).latent_dist.mean.std())


@torch.no_grad()
def encode(vae: AutoencoderKL, images: torch.Tensor) -> torch.Tensor:
    """Encode (B, 3, 32, 32) in [-1, 1] to scaled latents, without sampling noise."""
    latents: torch.Tensor = vae.encode(images).latent_dist.mean
    return latents * float(vae.config.scaling_factor)
