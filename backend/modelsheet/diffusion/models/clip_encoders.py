"""CLIP encoders for images and texts: sprite32 bundles its own, Stable Diffusion uses OpenAI's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionModelWithProjection

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.errors import ModelMissing, UnsafeModel

# openai/clip-vit-large-patch14, in the folder `models` of the data folder.
FOLDER = "clip-vit-large-patch14"
# Mean and standard deviation of the training images in [0, 1] (Radford et al. 2021).
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)
_TEXT_BATCH_SIZE = 16  # texts' activations are most of the memory that naming a subject needs
LOGIT_SCALE = math.log(100)  # at the end of CLIP's own training, Radford et al. 2021


@dataclass(frozen=True)
class Clip:
    """Image and text encoder of one embedding space. Any: transformers has no annotations."""

    image_encoder: Any
    text_encoder: Any
    tokenizer: CLIPTokenizer
    device: torch.device
    is_own: bool  # the base's: images stay in [-1, 1], and the pooled text is not projected

    @torch.no_grad()
    def embed_images(self, images: Sequence[torch.Tensor] | torch.Tensor) -> torch.Tensor:
        """Embed images (3, H, W) in [-1, 1] of any sizes as unit vectors (B, width).

        Raises UnsafeModel for vectors with NaN.
        """
        side = int(self.image_encoder.config.image_size)
        prepare = _square if self.is_own else clip_pixels
        pixels = prepare(images, side, self.device)
        vectors: torch.Tensor = self.image_encoder(pixels).image_embeds
        if not torch.isfinite(vectors).all():
            raise UnsafeModel(
                "The image encoder that looks at pictures gives no usable numbers: its file is "
                "damaged. Get the model that it came with again."
            )
        return torch.nn.functional.normalize(vectors, dim=-1)

    @torch.no_grad()
    def embed_texts(self, prompts: Sequence[str]) -> torch.Tensor:
        """Embed prompts as unit vectors (B, width) in the space of `embed_images`."""
        tokens = self.tokenizer(
            list(prompts),
            padding=True,  # attention is causal: a longer window would change nothing
            max_length=self.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        ids = tokens.input_ids.to(self.device)
        return torch.cat([self._embed_ids(batch) for batch in ids.split(_TEXT_BATCH_SIZE)])

    def _embed_ids(self, ids: torch.Tensor) -> torch.Tensor:
        output = self.text_encoder(ids)
        vectors: torch.Tensor = output.pooler_output if self.is_own else output.text_embeds
        return torch.nn.functional.normalize(vectors.float(), dim=-1)

    @property
    def logit_scale(self) -> float:
        """Logarithm of the factor of cosines before a softmax."""
        if not self.is_own:
            return LOGIT_SCALE
        return float(getattr(self.image_encoder.config, "logit_scale_init_value", LOGIT_SCALE))


def load_clip(base: BaseModel, models: Path | None = None) -> Clip:
    """Load the CLIP of a base: its own, else the one in the folder `models`.

    Raises ModelMissing, which says where to put it, and UnsafeModel for a damaged one.
    """
    if base.image_encoder is not None:
        own = base.text_encoders[0], base.tokenizers[0]
        return Clip(base.image_encoder, *own, base.device, is_own=True)
    folder = (models or Path()) / FOLDER
    if not (folder / "config.json").is_file():
        raise ModelMissing(
            f"{base.id} has no eyes of its own: guessing what layers show and measuring "
            f"likeness need openai/{FOLDER}. Get it with: modelsheet models download clip, "
            f"or put it, in transformers' folder layout, at {folder}."
        )
    return _read(folder, base.device)


def _read(folder: Path, device: torch.device) -> Clip:
    options = {"local_files_only": True, "use_safetensors": True}
    try:
        image_encoder = CLIPVisionModelWithProjection.from_pretrained(folder, **options)
        text_encoder = CLIPTextModelWithProjection.from_pretrained(folder, **options)
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise UnsafeModel(f"{folder} cannot be read ({error}). Download it again.") from error
    for module in (image_encoder, text_encoder):
        module.requires_grad_(False).eval().float().to(device)
    return Clip(image_encoder, text_encoder, tokenizer, device, is_own=False)


def clip_pixels(
    images: Sequence[torch.Tensor] | torch.Tensor, side: int, device: torch.device
) -> torch.Tensor:
    """Scale images (3, H, W) in [-1, 1] into squares of `side` px, normalised as in CLIP's
    training, (B, 3, side, side).
    """
    pixels = _square(images, side, device)
    mean, std = (pixels.new_tensor(v).view(1, 3, 1, 1) for v in (_MEAN, _STD))
    return ((pixels + 1) / 2 - mean) / std


def _square(
    images: Sequence[torch.Tensor] | torch.Tensor, side: int, device: torch.device
) -> torch.Tensor:
    return torch.stack([_letterbox(image.to(device).float(), side) for image in images])


def _letterbox(image: torch.Tensor, side: int) -> torch.Tensor:
    """Scale into a square of `side` px, with bars of the border's mean colour.

    Cropping, as in CLIP's training, would cut off a tall figure's head.
    """
    height, width = image.shape[-2:]
    if (height, width) == (side, side):
        return image
    factor = side / max(height, width)
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    scaled = torch.nn.functional.interpolate(
        image[None], size, mode="bicubic", antialias=True, align_corners=False
    )[0].clamp(-1, 1)
    edge = torch.cat([scaled[:, :, 0], scaled[:, :, -1], scaled[:, 0], scaled[:, -1]], dim=1)
    square = edge.mean(1).view(3, 1, 1).expand(3, side, side).clone()
    top, left = (side - size[0]) // 2, (side - size[1]) // 2
    square[:, top : top + size[0], left : left + size[1]] = scaled
    return square
