"""Train the UNet, and the text encoder with it at a quarter of its rate, on cached latents."""

from __future__ import annotations

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from modelsheet.diffusion.training.loss import (
    add_noise,
    alphas_cumprod,
    stratified_timesteps,
    target_for,
    weighted_loss,
)
from sprite_training.device import Accelerator
from sprite_training.sprite32.clip import tokenize
from sprite_training.sprite32.image_pool import ImagePool
from sprite_training.training_stage import TrainingStage

SNR_GAMMA = 5.0
REFRESH_EVERY = 100  # steps


def train_denoiser(
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    scheduler: DDIMScheduler,
    pool: ImagePool,
    stage: TrainingStage,
    accelerator: Accelerator,
    batch: int,
) -> None:
    """Train within the stage's budget on the pool's latents."""

    def loss_at(step: int) -> torch.Tensor:
        assert pool.latents is not None
        if step % REFRESH_EVERY == REFRESH_EVERY - 1:
            pool.refresh(batch * REFRESH_EVERY // 4)  # each picture is seen about four times
        indices = pool.draw(batch)
        latents = accelerator.move(pool.latents[indices])
        ids = accelerator.move(tokenize(tokenizer, pool.captions(indices)))
        noise = torch.randn_like(latents)
        timesteps = stratified_timesteps(batch, scheduler).to(latents.device)
        alpha_bar = alphas_cumprod(scheduler, timesteps)
        noisy = add_noise(latents, noise, alpha_bar)
        with accelerator.autocast():
            embeds = text_encoder(ids).last_hidden_state
            predicted = unet(noisy, timesteps, embeds).sample
        target = target_for(scheduler, latents, noise, alpha_bar)
        return weighted_loss(
            scheduler, predicted.float(), target, alpha_bar, snr_gamma=SNR_GAMMA
        ).mean()

    stage.run(loss_at)
