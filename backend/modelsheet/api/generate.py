"""Generate images: request, masks, regions and pixel-art options."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from modelsheet.api.explore import MAX_RESULTS, Explore
from modelsheet.api.types import (
    AdapterScale,
    ApiModel,
    Caption,
    Fraction,
    GuidanceScale,
    HexColour,
    ImageRef,
    InferenceSteps,
    ModelId,
    NegativePrompt,
    Pixels,
    Prompt,
    Seed,
    Sha256,
    integral,
)

CutoutMethod = Literal["auto", "keying", "matting"]
# The names that other tools show.
SamplerName = Literal["DPM++ 2M Karras", "UniPC", "Euler", "Euler a", "DDIM", "LCM"]


SubjectsBy = Literal["adapter", "references", "both"]


class MaskRef(ApiModel):
    """A selection mask: a blob of width * height bytes, 0 outside, 255 inside, soft in between."""

    blob: Sha256
    width: Pixels
    height: Pixels


class Region(ApiModel):
    """A masked part of the image with its own prompt, which names the subject to paint there."""

    prompt: Prompt
    mask: MaskRef


def _require_false(value: object) -> object:
    if value is not False:
        raise ValueError("must be an object, false or null")
    return value


class PixelArt(ApiModel):
    """Pixel-art post-processing: snap to the pixel grid, limit the colours, threshold the alpha.

    `palette` is "picture" (the image's own best `colours`), "subject" (those of the subject's
    layers), "both" (those of the subject's layers, and of the image's own those that are unlike
    them) or a list of colours. `pixel_size` is the side in px of one painted pixel, 0 detects
    it. `enlarge` scales the result by a whole number.
    """

    palette: (
        Literal["picture", "subject", "both"]
        | Annotated[list[HexColour], Field(min_length=1, max_length=256)]
    ) = "picture"
    colours: Annotated[int, Field(ge=2, le=256), BeforeValidator(integral)] = 16
    pixel_size: Annotated[int, Field(ge=0, le=64), BeforeValidator(integral)] = 0
    enlarge: Annotated[int, Field(ge=1, le=32), BeforeValidator(integral)] = 1


MAX_REFERENCES = 8
# 0 equals False, and is none.
NoPixelArt = Annotated[Literal[False], BeforeValidator(_require_false)]


class GenerateRequest(ApiModel):
    """Generate images; @name in the prompt refers to a subject. Image k has seed `seed + k`.

    `width` and `height` 0 mean the base model's own resolution, or that of `init_image`. None for
    `guidance_scale` is the base model's default, for `sampler` the base model's own, for
    `inference_steps` the sampler's default. `strength` says how much of `init_image` may change:
    0 returns it unchanged; None is 0.6, and 1 with a `mask`. With a `mask` nothing outside of it
    changes; `patch` then returns only the inside, for a layer above, and `trim` its bounding box. A
    `transparent` image begins with the figure on `init_image` without its background; where a
    `mask` shows none, or all may change, a new figure is fitted into the mask. `poses` generates
    each pose on frames of one size and one baseline. A `variation_strength` moves the noise of
    `seed` towards that of `variation_seed + k`. `cutout` is the method for `transparent` images:
    "keying" removes a flat background, "matting" runs the matting model, for any background; "auto"
    keys images whose background came out flat. `pixel_art` None makes pixel art of subjects whose
    layers are, on a base that paints pixels; False makes none. `references` are pictures of what to
    paint, for base models that take such: no subject need be learnt. `subjects_by` says what paints
    the subjects of the prompt: their "adapter", their own "references" or "both"; one that is not
    learnt yet has its references only.
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
    trim: bool = False
    regions: Annotated[list[Region], Field(max_length=8)] = []
    pixel_art: PixelArt | NoPixelArt | None = None
    explore: Explore | None = None
    poses: Annotated[list[Caption], Field(max_length=MAX_RESULTS)] = []
    references: Annotated[list[ImageRef], Field(max_length=MAX_REFERENCES)] = []
    subjects_by: SubjectsBy = "adapter"
    variation_seed: Seed = 0
    variation_strength: Fraction = 0.0

    @property
    def all_prompts(self) -> str:
        """The prompts of the whole image and of its regions, which mention its subjects."""
        return " ".join([self.prompt, *(region.prompt for region in self.regions)])

    @model_validator(mode="after")
    def _check_combination(self) -> GenerateRequest:
        for is_wrong, sentence in self._contradictions():
            if is_wrong:
                raise ValueError(sentence)
        return self

    def _contradictions(self) -> list[tuple[bool, str]]:
        """Return each rule for fields that exclude each other: whether broken, and what to do."""
        requested_size = (self.width, self.height)
        sizes = {_size(region.mask) for region in self.regions}
        sizes |= {_size(self.init_image)} if self.init_image and self.regions else set()
        is_placed = self.mask is not None or bool(self.regions)
        return [
            (not self.init_image and self.mask is not None, "a mask needs an init_image"),
            (not self.init_image and self.strength is not None, "strength needs an init_image"),
            (self.patch and self.mask is None, "a patch needs a mask"),
            (self.trim and not self.patch, "only a patch can be trimmed"),
            (self._mask_size_differs(), "the mask must have the size of the init_image"),
            (len(sizes) > 1, "all regions' masks, and the init_image, must have one size"),
            (
                is_placed and requested_size not in ({(0, 0)} | sizes),
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
                self.mask is not None
                and isinstance(self.pixel_art, PixelArt)
                and self.pixel_art.enlarge > 1,
                "with a mask the result has its size; leave enlarge at 1",
            ),
        ]

    def _mask_size_differs(self) -> bool:
        if self.mask is None or self.init_image is None:
            return False
        return _size(self.mask) != _size(self.init_image)


def _size(image: ImageRef | MaskRef) -> tuple[int, int]:
    return image.width, image.height
