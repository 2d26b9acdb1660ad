"""Base model in memory, whatever its family: what training, painting and the worker ask of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from modelsheet.api.generate import SamplerName
from modelsheet.api.types import Family
from modelsheet.base_models.families import FAMILIES, is_pixel_art
from modelsheet.base_models.ip_adapter import references_note
from modelsheet.diffusion.models.adapter_hypernetwork import LoraFactors
from modelsheet.diffusion.models.hyperparameters import AdapterShape
from modelsheet.diffusion.models.noise_schedule import NoiseSchedule
from modelsheet.diffusion.models.sampler_spec import SamplerSpec, Scheduler
from modelsheet.errors import InvalidRequest, UnsafeModel

_SMALL = 100_000_000  # parameters

# A pipeline of diffusers, which has no annotations.
Pipeline = Any


@dataclass(frozen=True)
class PromptEmbeds:
    """Prompt embeddings that condition the denoiser: `hidden` (B, tokens, width); `pooled`
    (B, width) where the family has them; `references` latents (C, h, w) of reference pictures, the
    same for the whole batch; `pictures` (B, pictures, ...) their embeddings for an IP-Adapter.
    """

    hidden: torch.Tensor
    pooled: torch.Tensor | None = None
    references: tuple[torch.Tensor, ...] = ()
    pictures: torch.Tensor | None = None

    def __getitem__(self, rows: slice) -> PromptEmbeds:
        pooled, pictures = (
            None if each is None else each[rows] for each in (self.pooled, self.pictures)
        )
        return PromptEmbeds(self.hidden[rows], pooled, self.references, pictures)

    def followed_by(self, other: PromptEmbeds) -> PromptEmbeds:
        """Join two batches of equal parts and references."""
        pooled, pictures = (
            None if first is None or second is None else torch.cat([first, second])
            for first, second in ((self.pooled, other.pooled), (self.pictures, other.pictures))
        )
        hidden = torch.cat([self.hidden, other.hidden])
        return PromptEmbeds(hidden, pooled, self.references, pictures)


@dataclass(frozen=True)
class LoraTargets:
    """The layers of a network that get a LoRA, by the ends of their names, and its rank."""

    network: Any  # torch.nn.Module with the methods that peft adds
    rank: int
    layers: Sequence[str]


@dataclass(frozen=True)
class BaseModel(ABC):
    """Components of a base model on one device; frozen weights are in `dtype`.

    Latents are (B, C, h, w) as the denoiser's noise is: scaled or normalised. A family is a
    subclass.
    """

    id: str
    family: Family
    pipeline: Pipeline
    device: torch.device
    dtype: torch.dtype

    # The denoiser's name in the pipeline, and in the keys of adapters' files.
    denoiser_name: ClassVar[str]

    @property
    def denoiser(self) -> Any:
        return getattr(self.pipeline, self.denoiser_name)

    @cached_property
    def is_small(self) -> bool:
        """True where the number of the denoiser's operations counts more than their size."""
        parameters: int = sum(each.numel() for each in self.denoiser.parameters())
        return parameters <= _SMALL

    @property
    def vae(self) -> Any:
        return self.pipeline.vae

    @property
    def text_encoders(self) -> list[Any]:
        second = getattr(self.pipeline, "text_encoder_2", None)
        return [encoder for encoder in (self.pipeline.text_encoder, second) if encoder is not None]

    @property
    def tokenizers(self) -> list[Any]:
        second = getattr(self.pipeline, "tokenizer_2", None)
        return [found for found in (self.pipeline.tokenizer, second) if found is not None]

    @property
    def image_encoder(self) -> Any | None:
        """CLIP image encoder of the model's folder, None without one."""
        return getattr(self.pipeline, "image_encoder", None)

    @property
    def is_pixel_art(self) -> bool:
        return is_pixel_art(self.family)

    @property
    def notes(self) -> Sequence[str]:
        """Sentences for the results on how it was loaded."""
        return ()

    def modules(self) -> Iterator[torch.nn.Module]:
        yield from (self.denoiser, self.vae, *self.text_encoders)
        if self.image_encoder is not None:
            yield self.image_encoder

    def place_encoders(self, device: torch.device, *, with_text: bool) -> None:
        """Move what a training step does not need; `with_text` the text encoders too."""
        for module in (self.vae, *(self.text_encoders if with_text else ())):
            module.to(device)

    def autocast(self) -> AbstractContextManager[None]:
        """Return the autocast context: mixed precision on CUDA; on a CPU the weights' own dtype,
        with the adapter in fp32.
        """
        enabled = self.device.type == "cuda"
        half = self.dtype if self.dtype is torch.float16 else torch.bfloat16
        return torch.autocast(self.device.type, half, enabled=enabled)

    @property
    @abstractmethod
    def resolution(self) -> int:
        """Side in px of the images it was trained on."""

    @property
    def training_resolution(self) -> int:
        """Side in px of the pictures that it learns from."""
        return self.resolution

    @property
    @abstractmethod
    def latent_factor(self) -> int:
        """Pixels per latent along one side."""

    @property
    @abstractmethod
    def latent_channels(self) -> int:
        """C of its latents."""

    @property
    @abstractmethod
    def size_multiple(self) -> int:
        """Px that an image's sides must be multiples of."""

    @property
    @abstractmethod
    def noise_schedule(self) -> NoiseSchedule: ...

    @property
    @abstractmethod
    def guidance_scale(self) -> float:
        """Default guidance scale."""

    @property
    def has_guidance(self) -> bool:
        """False where guidance is distilled in: then no other scale than the default is painted."""
        return True

    @property
    @abstractmethod
    def samplers(self) -> Mapping[SamplerName, SamplerSpec]:
        """Samplers that it can paint with, the default one first."""

    @abstractmethod
    def make_scheduler(self, spec: SamplerSpec, steps: int, size: Sequence[int]) -> Scheduler:
        """Make a scheduler set to so many steps; `size` is (h, w) in latents."""

    @abstractmethod
    def adapter_targets(self, shape: AdapterShape) -> Mapping[str, LoraTargets]:
        """Return the layers of each network to learn, by the network's name in the pipeline; the
        denoiser first.
        """

    def initial_adapter(self, pictures: Sequence[Image.Image]) -> LoraFactors:
        """Predict the denoiser's LoRA of a subject from its square RGBA pictures, to begin learning
        with; empty where the model has no hypernetwork.
        """
        return {}

    @torch.no_grad()
    def encode_images(self, images: torch.Tensor) -> torch.Tensor:
        """Encode (B, 3, H, W) in [-1, 1] to latents (B, C, h, w), fp32.

        The autoencoder runs in fp32, since some give NaN in fp16. Raises UnsafeModel for NaN.
        """
        latents = self._encode(images.to(self.device, torch.float32))
        if not torch.isfinite(latents).all():
            raise UnsafeModel("The base model's autoencoder gives no numbers; its file is damaged.")
        return latents

    @torch.no_grad()
    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """Decode latents to (B, 3, H, W) in [-1, 1]."""
        return self._decode(latents.float()).clamp(-1, 1)

    @abstractmethod
    def _encode(self, images: torch.Tensor) -> torch.Tensor: ...

    @abstractmethod
    def _decode(self, latents: torch.Tensor) -> torch.Tensor: ...

    @property
    def takes_references(self) -> bool:
        """True where `encode_references` can be called."""
        return FAMILIES[self.family].takes_references

    def encode_references(self, pictures: Sequence[Image.Image]) -> tuple[torch.Tensor, ...]:
        """Encode RGB reference pictures for `with_references`.

        Raises InvalidRequest where the model takes none.
        """
        raise InvalidRequest(references_note(self.id, self.family, None))

    def with_references(
        self, embeds: PromptEmbeds, references: Sequence[torch.Tensor], *, is_negative: bool
    ) -> PromptEmbeds:
        """Condition prompts, or negative ones, by reference pictures too."""
        return replace(embeds, references=tuple(references))

    @abstractmethod
    def tokenize(self, prompts: Sequence[str]) -> list[torch.Tensor]:
        """Tokenize as the pipeline does, padded and truncated; each tensor is (B, window)."""

    @abstractmethod
    def encode_tokens(self, tokens: Sequence[torch.Tensor]) -> PromptEmbeds:
        """Encode what `tokenize` gives; gradients flow where text encoders are trained."""

    def encode_prompts(self, prompts: Sequence[str]) -> PromptEmbeds:
        """Encode prompts; gradients flow where the text encoders' adapters require them."""
        return self.encode_tokens(self.tokenize(prompts))

    @abstractmethod
    def encode_weighted_prompt(self, prompt: str) -> PromptEmbeds:
        """Encode one prompt of an artist, (1, tokens, width): with weights, and of any length.

        Raises InvalidRequest where the family has none.
        """

    @abstractmethod
    def batch_embeds(self, embeds: Sequence[PromptEmbeds], tokens: int = 0) -> PromptEmbeds:
        """Batch prompt embeddings; shorter ones are padded, to `tokens` at least."""

    @abstractmethod
    def words_by_rarity(self) -> Iterator[str]:
        """Yield the words that are one token, the rarest first."""

    @abstractmethod
    def split_word(self, word: str) -> list[str]:
        """Return the tokens of a word as text."""

    @abstractmethod
    def last_word_states(self, prompts: Sequence[str]) -> torch.Tensor:
        """Return the text encoder's state at each prompt's last token, (B, width)."""

    @abstractmethod
    def predict(
        self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: PromptEmbeds
    ) -> torch.Tensor:
        """Predict what the noise schedule has as its target: fp32, of the shape of `latents`."""


def image_tensor(image: Image.Image) -> torch.Tensor:
    """Convert an RGB image to (3, H, W) in [-1, 1]."""
    pixels = np.asarray(image.convert("RGB"), np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1) / 127.5 - 1


def to_levels(images: torch.Tensor) -> npt.NDArray[np.float32]:
    """Convert (B, 3, H, W) in [-1, 1] to levels (B, H, W, 3) in [0, 255]."""
    levels = (images.float().clamp(-1, 1) + 1) * 127.5
    return levels.permute(0, 2, 3, 1).cpu().numpy()


def to_pil_images(images: torch.Tensor) -> list[Image.Image]:
    """Convert (B, 3, H, W) in [-1, 1] to RGB images."""
    return [Image.fromarray(each) for each in to_levels(images).round().astype(np.uint8)]


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
