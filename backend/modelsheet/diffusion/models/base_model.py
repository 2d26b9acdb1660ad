"""Base model in memory: load it, encode prompts and images, predict noise, decode latents. The only
module that knows how the families of Stable Diffusion differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.loaders.single_file_utils import SingleFileComponentError
from PIL import Image
from transformers import CLIPTokenizer, PreTrainedModel

from modelsheet.api.types import Family
from modelsheet.base_models.locate import BaseModelFiles, check_base_model, locate_base_model
from modelsheet.diffusion.kernels.lean_unet import use_lean_layers
from modelsheet.diffusion.models.pipelines import Pipeline, read_folder, read_single_file
from modelsheet.diffusion.models.precision import choose_dtype
from modelsheet.errors import ModelMissing, UnsafeModel


@dataclass(frozen=True)
class PromptEmbeds:
    """Prompt embeddings that condition the UNet: `hidden` (B, tokens, width); `pooled` (B, width)
    for SDXL.
    """

    hidden: torch.Tensor
    pooled: torch.Tensor | None = None

    def __getitem__(self, rows: slice) -> PromptEmbeds:
        return PromptEmbeds(self.hidden[rows], None if self.pooled is None else self.pooled[rows])


@dataclass(frozen=True)
class BaseModel:
    """Components of a Stable Diffusion model, on one device.

    `resolution` is the side in px of the images it was trained on; frozen weights are in `dtype`.
    """

    id: str
    family: Family
    pipeline: Pipeline
    device: torch.device
    dtype: torch.dtype

    @property
    def unet(self) -> UNet2DConditionModel:
        return self.pipeline.unet

    @property
    def vae(self) -> AutoencoderKL:
        return self.pipeline.vae

    @property
    def text_encoders(self) -> list[PreTrainedModel]:
        second = getattr(self.pipeline, "text_encoder_2", None)
        return [encoder for encoder in (self.pipeline.text_encoder, second) if encoder is not None]

    @property
    def tokenizers(self) -> list[CLIPTokenizer]:
        second = getattr(self.pipeline, "tokenizer_2", None)
        return [found for found in (self.pipeline.tokenizer, second) if found is not None]

    @property
    def image_encoder(self) -> PreTrainedModel | None:
        """CLIP image encoder of the model's folder, None without one."""
        return getattr(self.pipeline, "image_encoder", None)

    @property
    def resolution(self) -> int:
        return int(self.unet.config.sample_size) * self.latent_factor

    @property
    def latent_factor(self) -> int:
        """Pixels per latent along one side (diffusers: vae_scale_factor)."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def noise_scheduler(self) -> DDPMScheduler:
        """Noise schedule for training, with the base's own prediction type and terminal SNR."""
        return DDPMScheduler.from_config(self.pipeline.scheduler.config)

    @property
    def guidance_scale(self) -> float:
        """Default guidance scale: 5, as in the write-up. sprite32 comes nearer to true images the
        lower it is, down to 2 (of learnt subjects .009, at 3 .011, at 6 far off), on flatter
        backgrounds.
        """
        return 2.0 if self.family == "sprite32" else 5.0

    @property
    def is_pixel_art(self) -> bool:
        return self.family == "sprite32"

    def autocast(self) -> AbstractContextManager[None]:
        """Return the autocast context: mixed precision on CUDA; on a CPU the weights' own dtype,
        with the adapter in fp32.
        """
        enabled = self.device.type == "cuda"
        half = self.dtype if self.dtype is torch.float16 else torch.bfloat16
        return torch.autocast(self.device.type, half, enabled=enabled)

    def modules(self) -> Iterator[torch.nn.Module]:
        yield from (self.unet, self.vae, *self.text_encoders)
        if self.image_encoder is not None:
            yield self.image_encoder

    @torch.no_grad()
    def encode_images(self, images: torch.Tensor) -> torch.Tensor:
        """Encode (B, 3, H, W) in [-1, 1] to scaled latents (B, C, h, w), fp32: the posterior mean.

        The autoencoder runs in fp32: SDXL's gives NaN in fp16. Raises UnsafeModel for NaN.
        """
        posterior = self.vae.encode(images.to(self.device, torch.float32)).latent_dist
        latents: torch.Tensor = posterior.mean * self.vae.config.scaling_factor
        if not torch.isfinite(latents).all():
            raise UnsafeModel("The base model's autoencoder gives no numbers; its file is damaged.")
        return latents

    @torch.no_grad()
    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """Decode scaled latents to (B, 3, H, W) in [-1, 1]."""
        scaled = latents.float() / self.vae.config.scaling_factor
        images: torch.Tensor = self.vae.decode(scaled).sample
        return images.clamp(-1, 1)

    def tokenize(self, prompts: Sequence[str], which: int = 0) -> torch.Tensor:
        """Tokenize for one text encoder: ids (B, window), padded and truncated as by diffusers."""
        tokenizer = self.tokenizers[which]
        tokens = tokenizer(
            list(prompts),
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        ids: torch.Tensor = tokens.input_ids.to(self.device)
        return ids

    def encode_prompts(self, prompts: Sequence[str]) -> PromptEmbeds:
        """Encode prompts; gradients flow where the text encoders' adapters require them."""
        return self.encode_tokens(self.tokenize_for_each(prompts))

    def tokenize_for_each(self, prompts: Sequence[str]) -> list[torch.Tensor]:
        """Tokenize for every text encoder: ids (B, window), one tensor each."""
        return [self.tokenize(prompts, index) for index in range(len(self.text_encoders))]

    def encode_tokens(self, ids: Sequence[torch.Tensor]) -> PromptEmbeds:
        """Encode token ids (B, window), one tensor for each text encoder."""
        if self.family != "sdxl":
            return PromptEmbeds(self.text_encoders[0](ids[0]).last_hidden_state)
        outputs = [
            encoder(own, output_hidden_states=True)
            for encoder, own in zip(self.text_encoders, ids, strict=True)
        ]
        # SDXL conditions on the layer before the last of both, and on the second's projection.
        hidden = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1)
        return PromptEmbeds(hidden, outputs[-1].text_embeds)

    def predict(
        self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: PromptEmbeds
    ) -> torch.Tensor:
        """Predict noise, or v, with the UNet: fp32, of the shape of `latents`."""
        added = None if embeds.pooled is None else self._added_conditions(latents, embeds.pooled)
        with self.autocast():
            output = self.unet(
                latents.to(self.dtype),
                timesteps,
                embeds.hidden.to(self.dtype),
                added_cond_kwargs=added,
            )
        predicted: torch.Tensor = output.sample.float()
        return predicted

    def _added_conditions(
        self, latents: torch.Tensor, pooled: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Return SDXL's micro-conditioning: an uncropped image of this size."""
        height, width = (side * self.latent_factor for side in latents.shape[-2:])
        sizes = torch.tensor([height, width, 0, 0, height, width], device=latents.device)
        return {
            "text_embeds": pooled.to(self.dtype),
            "time_ids": sizes.to(self.dtype).repeat(len(latents), 1),
        }


def to_levels(images: torch.Tensor) -> npt.NDArray[np.float32]:
    """Convert (B, 3, H, W) in [-1, 1] to levels (B, H, W, 3) in [0, 255]."""
    levels = (images.float().clamp(-1, 1) + 1) * 127.5
    return levels.permute(0, 2, 3, 1).cpu().numpy()


def to_pil_images(images: torch.Tensor) -> list[Image.Image]:
    """Convert (B, 3, H, W) in [-1, 1] to RGB images."""
    return [Image.fromarray(each) for each in to_levels(images).round().astype(np.uint8)]


def load_base_model(model_id: str, data_dir: Path, device: torch.device) -> BaseModel:
    """Load a base model, frozen and in eval mode.

    Raises ModelMissing when it is not on this machine or not whole, UnsafeModel when its files are
    damaged or pickles.
    """
    files = locate_base_model(model_id, data_dir)
    check_base_model(files)
    dtype, pipeline = _read_pipeline(files, data_dir, device)
    pipeline.set_progress_bar_config(disable=True)
    return prepare_base(BaseModel(model_id, files.family, pipeline, device, dtype))


def prepare_base(base: BaseModel) -> BaseModel:
    """Freeze the components, move them to the device, and switch the UNet to its lean layers."""
    for module in base.modules():
        module.requires_grad_(False).eval().to(base.device)
    use_lean_layers(base.unet)
    return base


def _read_pipeline(
    files: BaseModelFiles, data_dir: Path, device: torch.device
) -> tuple[torch.dtype, Pipeline]:
    try:
        dtype = choose_dtype(device, files.configs)
        if files.is_single_file:
            return dtype, read_single_file(files, data_dir, dtype)
        return dtype, read_folder(files, dtype)
    except torch.OutOfMemoryError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, SingleFileComponentError) as error:
        raise ModelMissing(
            f"{files.path} cannot be loaded as a Stable Diffusion model: {error}. "
            "Give a folder in diffusers' layout, or a checkpoint, of SD 1.5 or SDXL."
        ) from error


@contextmanager
def eval_mode(modules: Sequence[torch.nn.Module]) -> Iterator[None]:
    """Put modules into eval mode, and each back into its own mode afterwards."""
    modes = [module.training for module in modules]
    try:
        for module in modules:
            module.eval()
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.train(mode)
