"""Build the generate request from the prompt and the settings in the panel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..backend.api_requests import Explore, GenerateRequest, ImageRef, MaskRef, PixelArt, Region
from ..backend.api_responses import JobView
from ..backend.client import Client
from ..document.subject_places import SubjectMasks
from ..i18n import tr
from ..image import LONGEST_SIDE, Image
from ..prompt_regions import RegionPrompts
from ..ui.generation_settings import GenerationSettings

GRANULE = 8  # px; sides are multiples of it for every base model


@dataclass(frozen=True)
class InitImage:
    """Image to paint over, and the mask of what may change: a byte per pixel, 255 where it may."""

    image: Image
    mask: bytes = b""


@dataclass(frozen=True)
class PlacedSubjects:
    """Subjects of a prompt, each with the mask of where it is painted."""

    prompts: RegionPrompts
    masks: SubjectMasks

    def upload(self, client: Client) -> tuple[Region, ...]:
        """Upload the masks; return a region for each subject."""
        size = self.masks.width, self.masks.height
        return tuple(
            Region(self.prompts.region_prompt(name), MaskRef(client.put_blob(mask), *size))
            for name, mask in self.masks.masks.items()
        )


@dataclass(frozen=True)
class UnsentRequest:
    """Generate request whose init image or masks are not uploaded yet."""

    request: GenerateRequest
    init: InitImage | None = None
    placed: PlacedSubjects | None = None

    def submit(self, client: Client) -> JobView:
        """Upload the images, then submit the request; runs on the background thread."""
        if self.placed is not None:
            regions = self.placed.upload(client)
            scene = self.placed.prompts.scene
            return client.submit(replace(self.request, prompt=scene, regions=regions))
        if self.init is None:
            return client.submit(self.request)
        image = self.init.image
        size = image.width, image.height
        reference = ImageRef(client.put_blob(image.pixels), *size, image.name)
        request = replace(self.request, init_image=reference)
        if self.init.mask:
            mask = MaskRef(client.put_blob(self.init.mask), *size)
            request = replace(request, mask=mask, patch=True, trim=True)
        return client.submit(request)


def build_request(
    prompt: str,
    settings: GenerationSettings,
    *,
    count: int,
    seed: int,
    cut_out: bool,
    size: tuple[int, int],
    init: InitImage | None,
    explore: Explore | None,
) -> UnsentRequest:
    """Build the request. `size` in px: (0, 0) is the model's own."""
    if init is not None:
        size = (0, 0)
    has_mask = init is not None and bool(init.mask)
    request = GenerateRequest(
        prompt,
        1 if explore else count,
        seed,
        cut_out and (has_mask or not settings.tiling),
        negative_prompt=settings.negative_prompt,
        width=size[0],
        height=size[1],
        sampler=settings.sampler or None,
        inference_steps=settings.inference_steps or None,
        guidance_scale=max(1.0, settings.guidance_scale) if settings.guidance_scale else None,
        unet_scale=settings.unet_scale,
        text_encoder_scale=settings.text_encoder_scale,
        tiling=settings.tiling and not has_mask,
        strength=settings.strength / 100 if init else None,
        pixel_art=PixelArt() if settings.pixel_art else settings.pixel_art,
        explore=explore,
        subjects_by=settings.subjects_by,
    )
    return UnsentRequest(request, init)


def supported_size(width: int, height: int) -> tuple[int, int]:
    """Return the size to generate for an area of the canvas: at most 2048, in steps of 8 px."""
    ratio = min(1.0, LONGEST_SIDE / max(width, height, 1))
    return _rounded(width * ratio), _rounded(height * ratio)


def _rounded(side: float) -> int:
    return max(GRANULE, round(side / GRANULE) * GRANULE)


def with_seed(request: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return the same request with another seed."""
    return {**request, "seed": seed, "count": max(1, request.get("count", 1))}


def with_variation(request: dict[str, Any], seed: int, variation_seed: int) -> dict[str, Any]:
    """Return a request for four images near the one of `seed`."""
    return {
        **request,
        "seed": seed,
        "count": 4,
        "explore": None,
        "poses": [],
        "variation_seed": variation_seed,
        "variation_strength": 0.3,
    }


def missing_recipe_message() -> str:
    """Return the sentence for an image without a recorded request."""
    return tr(
        "This picture does not say how it was painted. Use its prompt and seed, then Generate."
    )
