"""What a click on Generate asks for: the panel's prompt and numbers as one request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..backend.api_requests import Explore, GenerateRequest, ImageRef, MaskRef, PixelArt
from ..backend.api_responses import JobView
from ..backend.client import Client
from ..i18n import tr
from ..image import Picture
from ..ui.generation_settings import Knobs

LARGEST_SIDE = 2048
GRANULE = 8  # px; what every base model can paint in


@dataclass(frozen=True)
class Ground:
    """What is painted over: a picture, and which part of it may change, 255 where it may."""

    picture: Picture
    mask: bytes = b""


@dataclass(frozen=True)
class Asked:
    """One request before its pictures are sent."""

    request: GenerateRequest
    ground: Ground | None = None

    def submit(self, client: Client) -> JobView:
        """On the link's thread: send the pictures, then the request."""
        if self.ground is None:
            return client.submit(self.request)
        picture = self.ground.picture
        size = picture.width, picture.height
        image = ImageRef(client.put_blob(picture.pixels), *size, picture.name)
        request = replace(self.request, init_image=image)
        if self.ground.mask:
            mask = MaskRef(client.put_blob(self.ground.mask), *size)
            request = replace(request, mask=mask, patch=True)
        return client.submit(request)


def compose(
    prompt: str,
    knobs: Knobs,
    *,
    count: int,
    seed: int,
    cut_out: bool,
    size: tuple[int, int],
    ground: Ground | None,
    explore: Explore | None,
) -> Asked:
    """Make the request of what the panel says. `size`: (0, 0) is the model's own."""
    if ground is not None:
        size = (0, 0)
    request = GenerateRequest(
        prompt,
        1 if explore else count,
        seed,
        cut_out and not knobs.tiling and not (ground and ground.mask),
        negative_prompt=knobs.negative_prompt,
        width=size[0],
        height=size[1],
        sampler=knobs.sampler or None,
        inference_steps=knobs.inference_steps or None,
        guidance_scale=max(1.0, knobs.guidance_scale) if knobs.guidance_scale else None,
        unet_scale=knobs.unet_scale,
        text_encoder_scale=knobs.text_encoder_scale,
        tiling=knobs.tiling and not (ground and ground.mask),
        strength=knobs.strength / 100 if ground else None,
        pixel_art=PixelArt() if knobs.pixel_art else None,
        explore=explore,
    )
    return Asked(request, ground)


def paintable(width: int, height: int) -> tuple[int, int]:
    """The size that is asked for an area of the canvas: at most 2048, in steps of 8 px."""
    ratio = min(1.0, LARGEST_SIDE / max(width, height, 1))
    return _granular(width * ratio), _granular(height * ratio)


def _granular(side: float) -> int:
    return max(GRANULE, round(side / GRANULE) * GRANULE)


def again(request: dict[str, Any], seed: int) -> dict[str, Any]:
    """The same wish with another seed."""
    return {**request, "seed": seed, "count": max(1, request.get("count", 1))}


def varied(request: dict[str, Any], seed: int, variation_seed: int) -> dict[str, Any]:
    """Four pictures near the one that `seed` paints."""
    return {
        **request,
        "seed": seed,
        "count": 4,
        "explore": None,
        "poses": [],
        "variation_seed": variation_seed,
        "variation_strength": 0.3,
    }


def no_recipe() -> str:
    return tr(
        "This picture does not say how it was painted. Use its prompt and seed, then Generate."
    )
