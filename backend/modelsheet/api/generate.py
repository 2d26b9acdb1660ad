"""Generate images: request, masks, regions, grids, and generation parameters of a result."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from modelsheet.api.explore import MAX_RESULTS, Explore
from modelsheet.api.types import (
    AdapterScale,
    Caption,
    Fraction,
    GuidanceScale,
    HexColour,
    ImageRef,
    InferenceSteps,
    Model,
    ModelId,
    NegativePrompt,
    Pixels,
    Prompt,
    Seed,
    Sha256,
    integral,
)

CutoutMethod = Literal["auto", "keying", "matting"]
# By the names artists know them by from other tools.
SamplerName = Literal["DPM++ 2M Karras", "UniPC", "Euler", "Euler a", "DDIM", "LCM"]


class MaskRef(Model):
    """A selection: one byte per pixel, 0 outside, 255 inside, between them on its soft edge; the
    blob has width * height bytes.
    """

    blob: Sha256
    width: Pixels
    height: Pixels


class Region(Model):
    """A place in the picture with its own prompt, which names the subject that stands there."""

    prompt: Prompt
    mask: MaskRef


class PixelArt(Model):
    """Pixel-perfect results: on the pixel grid, of few colours, each pixel opaque or transparent.

    `palette` is "picture" (the picture's own best `colours`), "subject" (those of the subject's
    layers) or a list of colours. `pixel_size` is the side in px of one painted pixel, 0 finds it.
    `enlarge` makes each pixel a square.
    """

    palette: (
        Literal["picture", "subject"]
        | Annotated[list[HexColour], Field(min_length=1, max_length=256)]
    ) = "picture"
    colours: Annotated[int, Field(ge=2, le=256), BeforeValidator(integral)] = 16
    pixel_size: Annotated[int, Field(ge=0, le=64), BeforeValidator(integral)] = 0
    enlarge: Annotated[int, Field(ge=1, le=32), BeforeValidator(integral)] = 1


class GenerateRequest(Model):
    """Paint pictures; a subject is named in the prompt as @name. Picture k has seed `seed + k`.

    `width` and `height` 0 mean the base model's own resolution, or that of `init_image`. None for
    `guidance_scale` is the base's usual, for `sampler` the base's own, for `inference_steps` the
    sampler's usual. `strength` says how much of `init_image` may change: 0 gives it back; None is
    0.6, and 1 with a `mask`. With a `mask` nothing outside of it changes; `patch` then gives only
    what is inside, for a layer above. `poses` paints each of them on frames of one size and one
    baseline. A `variation_strength` moves the noise of `seed` towards that of `variation_seed + k`.
    `cutout` says how `transparent` pictures are cut out: "keying" takes a flat background away,
    "matting" asks the matting model, for backgrounds of any kind; "auto" keys what came out flat.
    """

    kind: Literal["generate"] = "generate"
    prompt: Prompt
    negative_prompt: NegativePrompt = ""
    base_model: ModelId | None = None
    count: Annotated[int, Field(ge=1, le=MAX_RESULTS), BeforeValidator(integral)] = 1
    seed: Seed = 0
    width: Annotated[int, Field(ge=0, le=2048), BeforeValidator(integral)] = 0
    height: Annotated[int, Field(ge=0, le=2048), BeforeValidator(integral)] = 0
    sampler: SamplerName | None = None
    inference_steps: InferenceSteps | None = None
    guidance_scale: GuidanceScale | None = None
    unet_scale: AdapterScale = 1.0
    text_encoder_scale: AdapterScale = 1.0
    transparent: bool = False
    cutout: CutoutMethod = "auto"
    tiling: bool = False
    init_image: ImageRef | None = None
    strength: Fraction | None = None
    mask: MaskRef | None = None
    patch: bool = False
    regions: Annotated[list[Region], Field(max_length=8)] = []
    pixel_art: PixelArt | None = None
    explore: Explore | None = None
    poses: Annotated[list[Caption], Field(max_length=MAX_RESULTS)] = []
    variation_seed: Seed = 0
    variation_strength: Fraction = 0.0

    @model_validator(mode="after")
    def _fits_together(self) -> GenerateRequest:
        for is_wrong, sentence in self._contradictions():
            if is_wrong:
                raise ValueError(sentence)
        return self

    def _contradictions(self) -> list[tuple[bool, str]]:
        """Each rule of what cannot be asked together, and what to do instead."""
        wanted = (self.width, self.height)
        sizes = {_size(region.mask) for region in self.regions}
        sizes |= {_size(self.init_image)} if self.init_image and self.regions else set()
        is_placed = self.mask is not None or bool(self.regions)
        return [
            (not self.init_image and self.mask is not None, "a mask needs an init_image"),
            (not self.init_image and self.strength is not None, "strength needs an init_image"),
            (self.patch and self.mask is None, "a patch needs a mask"),
            (self._mask_differs(), "the mask must have the size of the init_image"),
            (len(sizes) > 1, "all regions' masks, and the init_image, must have one size"),
            (
                is_placed and wanted not in ({(0, 0)} | sizes),
                "with masks the result has their size; leave width and height at 0",
            ),
            (
                self.explore is not None and (self.count > 1 or bool(self.poses)),
                "a grid has one picture a cell; leave count at 1 and poses empty",
            ),
            (
                self.count * len(self.poses) > MAX_RESULTS,
                f"poses times count must be at most {MAX_RESULTS}",
            ),
            (
                self.tiling and (is_placed or self.transparent),
                "tiling goes with neither transparent nor masks",
            ),
            (self.cutout != "auto" and not self.transparent, "a cutout needs transparent"),
            (self.mask is not None and bool(self.regions), "take a mask or regions, not both"),
            (
                self.mask is not None and self.pixel_art is not None and self.pixel_art.enlarge > 1,
                "with a mask the result has its size; leave enlarge at 1",
            ),
        ]

    def _mask_differs(self) -> bool:
        if self.mask is None or self.init_image is None:
            return False
        return _size(self.mask) != _size(self.init_image)


def _size(picture: ImageRef | MaskRef) -> tuple[int, int]:
    return picture.width, picture.height
