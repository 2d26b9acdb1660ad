"""Architectures of sprite32: the one that ships, and a toy one for tests."""

from __future__ import annotations

from dataclasses import dataclass

from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from sprite_training.sprite32.tiles import SIZE

LATENT_CHANNELS = 4
LATENT_SIZE = SIZE // 2
PROMPT_TOKENS = 48  # the longest caption, with all parts, has 44


@dataclass(frozen=True)
class Architecture:
    """Widths and depths of all networks. The limit of 45 MB of fp16 weights is 22 M parameters,
    most of them the UNet's.
    """

    text_width: int = 192
    text_layers: int = 3
    vision_layers: int = 4
    autoencoder_channels: tuple[int, int] = (32, 64)
    unet_channels: tuple[int, int, int] = (64, 128, 256)
    vocabulary: int = 3072  # BPE merges learnt, before the rare tokens
    group_norm: int = 16

    def autoencoder(self) -> AutoencoderKL:
        """Make the autoencoder: (B, 3, 32, 32) in [-1, 1] <-> (B, 4, 16, 16)."""
        return AutoencoderKL(
            in_channels=3,
            out_channels=3,
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=self.autoencoder_channels,
            layers_per_block=1,
            latent_channels=LATENT_CHANNELS,
            norm_num_groups=self.group_norm,
            sample_size=SIZE,
            mid_block_add_attention=False,
        )

    def unet(self) -> UNet2DConditionModel:
        """Make the UNet, with attention on the two lower levels only: at 16 × 16 it costs more than
        it gives.
        """
        return UNet2DConditionModel(
            sample_size=LATENT_SIZE,
            in_channels=LATENT_CHANNELS,
            out_channels=LATENT_CHANNELS,
            block_out_channels=self.unet_channels,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            attention_head_dim=4,
            cross_attention_dim=self.text_width,
            norm_num_groups=self.group_norm,
        )

    def text_encoder(self, tokenizer: CLIPTokenizer) -> CLIPTextModel:
        return CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=self.text_width,
                intermediate_size=self.text_width * 4,
                num_hidden_layers=self.text_layers,
                num_attention_heads=max(1, self.text_width // 48),
                max_position_embeddings=PROMPT_TOKENS,
                projection_dim=self.text_width,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )

    def image_encoder(self) -> CLIPVisionModelWithProjection:
        """Make the image encoder, which projects into the space of the text encoder's pooled
        output.
        """
        return CLIPVisionModelWithProjection(
            CLIPVisionConfig(
                hidden_size=self.text_width,
                intermediate_size=self.text_width * 4,
                num_hidden_layers=self.vision_layers,
                num_attention_heads=max(1, self.text_width // 48),
                image_size=SIZE,
                # figures have one position, so that coarse patches do as well, four times faster
                patch_size=8,
                projection_dim=self.text_width,
            )
        )

    def scheduler(self) -> DDIMScheduler:
        """Make the scheduler: v-prediction from zero terminal SNR, without which no flat background
        is truly flat.
        """
        return DDIMScheduler(
            num_train_timesteps=1000,
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            prediction_type="v_prediction",
            rescale_betas_zero_snr=True,
            timestep_spacing="trailing",
            clip_sample=False,
            set_alpha_to_one=True,
            steps_offset=1,  # unused by trailing spacing; diffusers warns about any other value
        )


SHIPPED = Architecture()
TOY = Architecture(
    text_width=48,
    text_layers=1,
    vision_layers=1,
    autoencoder_channels=(16, 16),
    unet_channels=(16, 32, 32),
    vocabulary=300,
    group_norm=8,
)
