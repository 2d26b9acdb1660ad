"""Image encoders of the benchmarks: the base's CLIP and, where one is named, a DINO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModel

from modelsheet.diffusion.models.clip_encoders import Clip
from modelsheet.errors import ModelMissing

# DINO's preprocessing (Caron et al. 2021): the shorter side scaled, the centre cropped, ImageNet's
# mean and standard deviation.
_SCALED, _CROP = 256, 224
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BATCH = 16


@dataclass(frozen=True)
class ImageEncoder:
    """An encoder of images (3, H, W) in [-1, 1] of any sizes to unit vectors (B, width); `name` is
    the prefix of its metrics.
    """

    name: str
    embed: Callable[[Sequence[torch.Tensor]], torch.Tensor]


@dataclass(frozen=True)
class Encoders:
    """The CLIP that encodes prompts, and the image encoders: CLIP's own first, then a DINO's."""

    clip: Clip
    image: Sequence[ImageEncoder]


def clip_encoder(clip: Clip) -> ImageEncoder:
    return ImageEncoder("clip", clip.embed_images)


def dino_encoder(name: str, device: torch.device) -> ImageEncoder:
    """Load DINO or DINOv2: a vision transformer in transformers' layout, by folder or hub id.

    Raises ModelMissing when it cannot be read.
    """
    try:
        model: Any = AutoModel.from_pretrained(name, use_safetensors=True)
    except (OSError, ValueError) as error:
        raise ModelMissing(
            f"No vision transformer can be read from {name} ({error}). Name a folder with its "
            "config.json and model.safetensors, or an id such as facebook/dino-vits16."
        ) from error
    model.requires_grad_(False).eval().float().to(device)

    @torch.no_grad()
    def embed(pictures: Sequence[torch.Tensor]) -> torch.Tensor:
        vectors = []
        for start in range(0, len(pictures), _BATCH):
            batch = torch.stack([_preprocessed(p) for p in pictures[start : start + _BATCH]])
            hidden: torch.Tensor = model(batch.to(device)).last_hidden_state
            vectors.append(hidden[:, 0])  # the class token
        return torch.nn.functional.normalize(torch.cat(vectors), dim=-1)

    return ImageEncoder("dino", embed)


def _preprocessed(picture: torch.Tensor) -> torch.Tensor:
    height, width = picture.shape[-2:]
    factor = _SCALED / min(height, width)
    size = [round(height * factor), round(width * factor)]
    scaled = torch.nn.functional.interpolate(
        picture[None].float().cpu(), size, mode="bicubic", antialias=True, align_corners=False
    )[0]
    top, left = (size[0] - _CROP) // 2, (size[1] - _CROP) // 2
    crop = ((scaled[:, top : top + _CROP, left : left + _CROP] + 1) / 2).clamp(0, 1)
    mean, spread = (crop.new_tensor(values).view(3, 1, 1) for values in (_MEAN, _SPREAD))
    return (crop - mean) / spread
