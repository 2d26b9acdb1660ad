"""Train the UNet, and the text encoder with it at a quarter of its rate, on cached latents."""

from __future__ import annotations

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from modelsheet.diffusion.families.stable_diffusion.noise import DdpmSchedule, stratified_timesteps
from modelsheet.diffusion.training.loss import per_sample_mse
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
    schedule = DdpmSchedule(scheduler)

    def loss_at(step: int) -> torch.Tensor:
        assert pool.latents is not None
        if step % REFRESH_EVERY == REFRESH_EVERY - 1:
            pool.refresh(batch * REFRESH_EVERY // 4)  # each picture is seen about four times
        indices = pool.draw(batch)
        latents = accelerator.move(pool.latents[indices])
        ids = accelerator.move(tokenize(tokenizer, pool.captions(indices)))
        noise = torch.randn_like(latents)
        timesteps = stratified_timesteps(batch, scheduler).to(latents.device)
        noisy = schedule.add_noise(latents, noise, timesteps)
        with accelerator.autocast():
            embeds = text_encoder(ids).last_hidden_state
            predicted = unet(noisy, timesteps, embeds).sample
        target = schedule.target(latents, noise, timesteps)
        weights = schedule.loss_weights(timesteps, SNR_GAMMA)
        return (per_sample_mse(predicted, target) * weights).mean()

    stage.run(loss_at)
