"""Stable Diffusion in memory: sprite32, SD 1.5 and SDXL. The only module that knows how these three
differ once they are loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from diffusers import DDPMScheduler
from PIL import Image

from modelsheet.api.generate import SamplerName
from modelsheet.base_models.ip_adapter import IpAdapterFiles
from modelsheet.diffusion.families.stable_diffusion import prompt_encoding
from modelsheet.diffusion.families.stable_diffusion.adapter_targets import (
    text_encoder_layers,
    unet_layers,
)
from modelsheet.diffusion.families.stable_diffusion.ip_adapter import IpAdapter
from modelsheet.diffusion.families.stable_diffusion.noise import DdpmSchedule
from modelsheet.diffusion.families.stable_diffusion.samplers import make_scheduler, samplers_of
from modelsheet.diffusion.kernels.lean_unet import use_lean_layers
from modelsheet.diffusion.models.adapter_hypernetwork import AdapterHypernetwork, LoraFactors
from modelsheet.diffusion.models.base_model import (
    BaseModel,
    LoraTargets,
    PromptEmbeds,
    image_tensor,
)
from modelsheet.diffusion.models.hyperparameters import AdapterShape
from modelsheet.diffusion.models.sampler_spec import SamplerSpec, Scheduler

_END_OF_WORD = "</w>"  # in CLIP's byte-pair vocabulary


@dataclass(frozen=True)
class StableDiffusion(BaseModel):
    """A UNet on scaled latents, conditioned by one CLIP text encoder or, as SDXL, by two, and by
    reference pictures where `find_ip_adapter` finds an adapter for them.
    """

    find_ip_adapter: Callable[[], IpAdapterFiles | None] = lambda: None
    hypernetwork: Path | None = None
    denoiser_name: ClassVar[str] = "unet"

    @property
    def unet(self) -> Any:
        return self.pipeline.unet

    @property
    def resolution(self) -> int:
        return int(self.unet.config.sample_size) * self.latent_factor

    @property
    def latent_factor(self) -> int:
        """Pixels per latent along one side (diffusers: vae_scale_factor)."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def latent_channels(self) -> int:
        return int(self.unet.config.in_channels)

    @property
    def size_multiple(self) -> int:
        """Px that an image's sides must be multiples of, so that the UNet can halve them."""
        return self.latent_factor * int(2 ** (len(self.unet.config.block_out_channels) - 1))

    @property
    def noise_scheduler(self) -> DDPMScheduler:
        """Noise schedule for training, with the base's own prediction type and terminal SNR."""
        return DDPMScheduler.from_config(self.pipeline.scheduler.config)

    @property
    def noise_schedule(self) -> DdpmSchedule:
        return DdpmSchedule(self.noise_scheduler)

    @property
    def guidance_scale(self) -> float:
        """Default guidance scale: 5, as in the write-up. sprite32 comes nearer to true images the
        lower it is, down to 2 (of learnt subjects .009, at 3 .011, at 6 far off), on flatter
        backgrounds.
        """
        return 2.0 if self.is_pixel_art else 5.0

    @property
    def samplers(self) -> Mapping[SamplerName, SamplerSpec]:
        return samplers_of(self.pipeline.scheduler)

    def make_scheduler(self, spec: SamplerSpec, steps: int, size: Sequence[int]) -> Scheduler:
        return make_scheduler(self.pipeline.scheduler.config, spec, steps, self.device)

    def adapter_targets(self, shape: AdapterShape) -> Mapping[str, LoraTargets]:
        targets = {"unet": LoraTargets(self.unet, shape.rank, unet_layers(shape))}
        if shape.text_encoder_rank:
            layers = text_encoder_layers(shape)
            for index, encoder in enumerate(self.text_encoders):
                name = "text_encoder" if index == 0 else f"text_encoder_{index + 1}"
                targets[name] = LoraTargets(encoder, shape.text_encoder_rank, layers)
        return targets

    def initial_adapter(self, pictures: Sequence[Image.Image]) -> LoraFactors:
        if self.hypernetwork is None:
            return {}
        return AdapterHypernetwork.load(self.hypernetwork).predict(pictures)

    @property
    def takes_references(self) -> bool:
        return self.find_ip_adapter() is not None

    def encode_references(self, pictures: Sequence[Image.Image]) -> tuple[torch.Tensor, ...]:
        """Encode all to one tensor (2, pictures, ...), for prompts and for negative ones.

        Raises InvalidRequest: there is no IP-Adapter. UnsafeModel: its files are damaged.
        """
        files = self.find_ip_adapter()
        if files is None:
            return super().encode_references(pictures)
        if files not in self._ip_adapters:
            self._ip_adapters.clear()
            self._ip_adapters[files] = IpAdapter(files, self.pipeline, self.device)
        return (self._ip_adapters[files].encode([image_tensor(each) for each in pictures]),)

    def with_references(
        self, embeds: PromptEmbeds, references: Sequence[torch.Tensor], *, is_negative: bool
    ) -> PromptEmbeds:
        if not references:
            return embeds
        own = references[0][int(is_negative)][None]
        repeated = own.expand(len(embeds.hidden), *own.shape[1:])
        return replace(embeds, pictures=repeated)

    @cached_property
    def _ip_adapters(self) -> dict[IpAdapterFiles, IpAdapter]:
        """The adapter that was used last, by its files."""
        return {}

    def tokenize(self, prompts: Sequence[str]) -> list[torch.Tensor]:
        return [self._tokenize(prompts, tokenizer) for tokenizer in self.tokenizers]

    def _tokenize(self, prompts: Sequence[str], tokenizer: Any) -> torch.Tensor:
        tokens = tokenizer(
            list(prompts),
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        ids: torch.Tensor = tokens.input_ids.to(self.device)
        return ids

    def encode_tokens(self, tokens: Sequence[torch.Tensor]) -> PromptEmbeds:
        """Encode token ids (B, window), one tensor for each text encoder."""
        if len(self.text_encoders) == 1:
            return PromptEmbeds(self.text_encoders[0](tokens[0]).last_hidden_state)
        outputs = [
            encoder(own, output_hidden_states=True)
            for encoder, own in zip(self.text_encoders, tokens, strict=True)
        ]
        # SDXL conditions on the layer before the last of both, and on the second's projection.
        hidden = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1)
        return PromptEmbeds(hidden, outputs[-1].text_embeds)

    def encode_weighted_prompt(self, prompt: str) -> PromptEmbeds:
        return prompt_encoding.encode_prompt(self, prompt)

    def batch_embeds(self, embeds: Sequence[PromptEmbeds], tokens: int = 0) -> PromptEmbeds:
        return prompt_encoding.batch_embeds(self, embeds, tokens)

    def words_by_rarity(self) -> Iterator[str]:
        """Yield whole words; a byte-pair vocabulary lists its merges by rank, the rarest last."""
        vocabulary: dict[str, int] = self.tokenizers[0].get_vocab()
        for token in sorted(vocabulary, key=lambda token: -vocabulary[token]):
            if token.endswith(_END_OF_WORD):
                yield token.removesuffix(_END_OF_WORD)

    def split_word(self, word: str) -> list[str]:
        return [token.removesuffix(_END_OF_WORD) for token in self.tokenizers[0].tokenize(word)]

    def last_word_states(self, prompts: Sequence[str]) -> torch.Tensor:
        """Attention is causal, so that the rest of the window need not be computed."""
        tokenizer = self.tokenizers[0]
        ids = self._tokenize(prompts, tokenizer)
        ends = (ids == tokenizer.eos_token_id).int().argmax(dim=1) - 1
        window = ids[:, : int(ends.max()) + 1]
        states: torch.Tensor = self.text_encoders[0](window).last_hidden_state
        return states[torch.arange(len(ids), device=ids.device), ends]

    def predict(
        self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: PromptEmbeds
    ) -> torch.Tensor:
        """Predict noise, or v, with the UNet."""
        added = {} if embeds.pooled is None else self._added_conditions(latents, embeds.pooled)
        attending: AbstractContextManager[None] = nullcontext()
        if embeds.pictures is not None:
            [ip_adapter] = self._ip_adapters.values()
            attending = ip_adapter.active()
            added = {**added, "image_embeds": [embeds.pictures.to(self.dtype)]}
        with self.autocast(), attending:
            output = self.unet(
                latents.to(self.dtype),
                timesteps,
                embeds.hidden.to(self.dtype),
                added_cond_kwargs=added or None,
            )
        predicted: torch.Tensor = output.sample.float()
        return predicted

    def _added_conditions(self, latents: torch.Tensor, pooled: torch.Tensor) -> dict[str, Any]:
        """Return SDXL's micro-conditioning: an uncropped image of this size."""
        height, width = (side * self.latent_factor for side in latents.shape[-2:])
        sizes = torch.tensor([height, width, 0, 0, height, width], device=latents.device)
        return {
            "text_embeds": pooled.to(self.dtype),
            "time_ids": sizes.to(self.dtype).repeat(len(latents), 1),
        }

    def _encode(self, images: torch.Tensor) -> torch.Tensor:
        """Encode to scaled latents: the posterior mean."""
        posterior = self.vae.encode(images).latent_dist
        latents: torch.Tensor = posterior.mean * self.vae.config.scaling_factor
        return latents

    def _decode(self, latents: torch.Tensor) -> torch.Tensor:
        images: torch.Tensor = self.vae.decode(latents / self.vae.config.scaling_factor).sample
        return images


def prepare_base(base: StableDiffusion) -> StableDiffusion:
    """Freeze the components, move them to the device, and switch the UNet to its lean layers."""
    for module in base.modules():
        module.requires_grad_(False).eval().to(base.device)
    use_lean_layers(base.unet)
    return base
