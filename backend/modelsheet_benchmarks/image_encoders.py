"""What looks at pictures in a benchmark: the base's CLIP and, where one is named, a DINO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModel

from modelsheet.diffusion.models.clip import Clip
from modelsheet.errors import ModelMissing

# How DINO's authors look at pictures (Caron et al. 2021): the shorter side scaled, the middle cut
# out, ImageNet's mean and spread.
_SCALED, _CUT = 256, 224
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_AT_ONCE = 16


@dataclass(frozen=True)
class Eyes:
    """`name` goes before figures; `embed` makes unit vectors (B, width) of pictures (3, H, W) in
    [-1, 1] of any sizes.
    """

    name: str
    embed: Callable[[Sequence[torch.Tensor]], torch.Tensor]


@dataclass(frozen=True)
class Senses:
    """`clip` reads prompts, `eyes` look at pictures: CLIP's own first, then a DINO's."""

    clip: Clip
    eyes: Sequence[Eyes]


def clip_eyes(clip: Clip) -> Eyes:
    return Eyes("clip", clip.embed_images)


def dino_eyes(name: str, device: torch.device) -> Eyes:
    """A vision transformer in transformers' layout, a folder or a hub's id: DINO or DINOv2.

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
        for start in range(0, len(pictures), _AT_ONCE):
            seen = torch.stack([_as_dino_sees(p) for p in pictures[start : start + _AT_ONCE]])
            hidden: torch.Tensor = model(seen.to(device)).last_hidden_state
            vectors.append(hidden[:, 0])  # the class token
        return torch.nn.functional.normalize(torch.cat(vectors), dim=-1)

    return Eyes("dino", embed)


def _as_dino_sees(picture: torch.Tensor) -> torch.Tensor:
    height, width = picture.shape[-2:]
    factor = _SCALED / min(height, width)
    size = [round(height * factor), round(width * factor)]
    scaled = torch.nn.functional.interpolate(
        picture[None].float().cpu(), size, mode="bicubic", antialias=True, align_corners=False
    )[0]
    top, left = (size[0] - _CUT) // 2, (size[1] - _CUT) // 2
    cut = ((scaled[:, top : top + _CUT, left : left + _CUT] + 1) / 2).clamp(0, 1)
    mean, spread = (cut.new_tensor(values).view(3, 1, 1) for values in (_MEAN, _SPREAD))
    return (cut - mean) / spread
