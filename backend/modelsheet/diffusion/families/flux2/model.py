"""FLUX.2 klein in memory: the base that is learnt on, or its distilled twin, which paints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from PIL import Image

from modelsheet.api.generate import SamplerName
from modelsheet.diffusion.families.flux2 import latents as latent_layout
from modelsheet.diffusion.families.flux2 import samplers, text
from modelsheet.diffusion.families.flux2.adapter_targets import transformer_layers
from modelsheet.diffusion.families.flux2.flow_matching import TIMESTEPS, FlowMatchingSchedule
from modelsheet.diffusion.models.base_model import (
    BaseModel,
    LoraTargets,
    PromptEmbeds,
    image_tensor,
)
from modelsheet.diffusion.models.hyperparameters import AdapterShape
from modelsheet.diffusion.models.sampler_spec import SamplerSpec, Scheduler

_SPACE = "Ġ"  # begins the tokens of words in Qwen's byte-pair vocabulary
_GUIDANCE = 4.0  # of the makers' own examples; the distilled twin has guidance distilled in
_GIB = 1 << 30
_ROOM_FOR_ALL = 24 * _GIB  # transformer, text encoder and autoencoder, and a step beside them
_ROOM_FOR_TEXT = 11 * _GIB  # text encoder, and beside it a transformer in eight bits


@dataclass(frozen=True)
class Flux2Klein(BaseModel):
    """A transformer on patchified, normalised latents, conditioned by a frozen Qwen3."""

    denoiser_name: ClassVar[str] = "transformer"
    precision_note: str = ""

    @property
    def notes(self) -> Sequence[str]:
        return [self.precision_note] if self.precision_note else []

    @property
    def is_distilled(self) -> bool:
        return bool(self.pipeline.config.is_distilled)

    @property
    def resolution(self) -> int:
        return int(self.vae.config.sample_size)

    @property
    def training_resolution(self) -> int:
        """Half of it: a step costs a fourth, and trainers' examples learn at 512 px."""
        return self.resolution // 2

    @property
    def latent_factor(self) -> int:
        return int(2 ** (len(self.vae.config.block_out_channels) - 1)) * latent_layout.PATCH

    @property
    def latent_channels(self) -> int:
        return int(self.denoiser.config.in_channels)

    @property
    def size_multiple(self) -> int:
        return self.latent_factor

    @property
    def noise_schedule(self) -> FlowMatchingSchedule:
        return FlowMatchingSchedule()

    @property
    def guidance_scale(self) -> float:
        return 1.0 if self.is_distilled else _GUIDANCE

    @property
    def has_guidance(self) -> bool:
        return not self.is_distilled

    @property
    def samplers(self) -> Mapping[SamplerName, SamplerSpec]:
        return samplers.samplers_of(is_distilled=self.is_distilled)

    def make_scheduler(self, spec: SamplerSpec, steps: int, size: Sequence[int]) -> Scheduler:
        return samplers.make_scheduler(self.pipeline.scheduler.config, steps, size, self.device)

    def adapter_targets(self, shape: AdapterShape) -> Mapping[str, LoraTargets]:
        layers = transformer_layers(self.denoiser, shape)
        return {self.denoiser_name: LoraTargets(self.denoiser, shape.rank, layers)}

    def place_encoders(self, device: torch.device, *, with_text: bool) -> None:
        super().place_encoders(device, with_text=with_text and not self.rests_text_encoder)

    def encode_references(self, pictures: Sequence[Image.Image]) -> tuple[torch.Tensor, ...]:
        """Encode each to latents (C, h, w), no larger than the model's own resolution."""
        return tuple(self._encode_reference(each) for each in pictures)

    def _encode_reference(self, picture: Image.Image) -> torch.Tensor:
        scale = min(1.0, (self.resolution**2 / (picture.width * picture.height)) ** 0.5)
        multiple = self.size_multiple
        size = [max(multiple, int(side * scale) // multiple * multiple) for side in picture.size]
        scaled = picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)
        return self.encode_images(image_tensor(scaled)[None])[0]

    def tokenize(self, prompts: Sequence[str]) -> list[torch.Tensor]:
        """Return ids and attention mask."""
        tokens = text.tokenize(self.tokenizers[0], prompts)
        return [each.to(self.device) for each in tokens]

    def encode_tokens(self, tokens: Sequence[torch.Tensor]) -> PromptEmbeds:
        """Encode; the text encoder is frozen, so that no gradients flow."""
        with torch.no_grad(), self._text_encoder_on_device() as encoder:
            ids, mask = (each.to(encoder.device) for each in tokens)
            return PromptEmbeds(text.encode(encoder, ids, mask).to(self.device))

    def encode_weighted_prompt(self, prompt: str) -> PromptEmbeds:
        return self.encode_prompts([text.plain_prompt(prompt)])

    def batch_embeds(self, embeds: Sequence[PromptEmbeds], tokens: int = 0) -> PromptEmbeds:
        """Every prompt has a whole window, so that nothing is padded."""
        return PromptEmbeds(torch.cat([each.hidden for each in embeds]))

    def words_by_rarity(self) -> Iterator[str]:
        """Yield words that follow a space; a byte-pair vocabulary lists its merges by rank."""
        vocabulary: dict[str, int] = self.tokenizers[0].get_vocab()
        for token in sorted(vocabulary, key=lambda token: -vocabulary[token]):
            if token.startswith(_SPACE):
                yield token.removeprefix(_SPACE)

    def split_word(self, word: str) -> list[str]:
        return [token.removeprefix(_SPACE) for token in self.tokenizers[0].tokenize(f" {word}")]

    @torch.no_grad()
    def last_word_states(self, prompts: Sequence[str]) -> torch.Tensor:
        """Return the state in the last layer that conditions the transformer."""
        tokens = self.tokenizers[0](
            list(prompts), return_tensors="pt", padding=True, padding_side="right"
        )
        with self._text_encoder_on_device() as encoder:
            ids, mask = (tokens[key].to(encoder.device) for key in ("input_ids", "attention_mask"))
            states = text.encode(encoder, ids, mask)
        ends = mask.sum(dim=1) - 1
        width = states.shape[-1] // len(text.LAYERS)
        return states[torch.arange(len(ids), device=ids.device), ends, -width:].float()

    def predict(
        self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: PromptEmbeds
    ) -> torch.Tensor:
        """Predict the flow from picture to noise."""
        count, size, device = len(latents), latents.shape[-2:], latents.device
        pictures = [latents, *(each.expand(count, -1, -1, -1) for each in embeds.references)]
        tokens = torch.cat([latent_layout.pack(each) for each in pictures], dim=1)
        ids = [latent_layout.image_ids(p.shape[-2:], device, n) for n, p in enumerate(pictures)]
        with self.autocast():
            flow = self.denoiser(
                hidden_states=tokens.to(self.dtype),
                timestep=timesteps.expand(count) / TIMESTEPS,
                guidance=None,
                encoder_hidden_states=embeds.hidden.to(self.dtype),
                txt_ids=latent_layout.text_ids(embeds.hidden.shape[1], device),
                img_ids=torch.cat(ids),
                return_dict=False,
            )[0]
        return latent_layout.unpack(flow[:, : size[0] * size[1]], size).float()

    def _encode(self, images: torch.Tensor) -> torch.Tensor:
        """Encode to patchified, normalised latents: the posterior's mode."""
        encoded = self.vae.encode(images).latent_dist.mode()
        return latent_layout.normalise(latent_layout.patchify(encoded), self.vae)

    def _decode(self, latents: torch.Tensor) -> torch.Tensor:
        decoded = latent_layout.unpatchify(latent_layout.denormalise(latents, self.vae))
        images: torch.Tensor = self.vae.decode(decoded).sample
        return images

    @property
    def rests_text_encoder(self) -> bool:
        """True on a card that is too small for all parts: the text encoder lies on the CPU and
        comes for each encoding, or encodes there.
        """
        return self._has_less_memory_than(_ROOM_FOR_ALL)

    @contextmanager
    def _text_encoder_on_device(self) -> Iterator[Any]:
        if self._has_less_memory_than(_ROOM_FOR_TEXT):
            yield self.pipeline.text_encoder
            return
        yield self.pipeline.text_encoder.to(self.device)
        if self.rests_text_encoder:
            self.pipeline.text_encoder.to("cpu")

    def _has_less_memory_than(self, room: int) -> bool:
        if self.device.type != "cuda":
            return False
        return int(torch.cuda.get_device_properties(self.device).total_memory) < room


def prepare_base(base: Flux2Klein) -> Flux2Klein:
    """Freeze the components, move them to the device, and free what conditions nothing."""
    text.drop_unused_layers(base.pipeline.text_encoder)
    for module in base.modules():
        rests = base.rests_text_encoder and module is base.pipeline.text_encoder
        module.requires_grad_(False).eval().to("cpu" if rests else base.device)
    return base
