"""The table of families: facts that are known of each before a model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from modelsheet.api.generate import SamplerName
from modelsheet.api.learn import PresetName
from modelsheet.api.types import Family

WRITE_UP_STEPS = 4500
_STEPS_FACTOR: dict[PresetName, float] = {"quick": 0.5, "balanced": 1.0, "thorough": 2.0}
_GIB = 1 << 30


@dataclass(frozen=True)
class WeightMark:
    """The weight by which a file is known to be a part of a family's models."""

    key: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class FamilyFacts:
    """Name as users know it, resolution in px, and training steps of the balanced preset.

    A family with `is_pixel_art` paints sprites, each pixel of which counts, and knows the words of
    its training captions alone; the others paint what they call photos and know any English.
    `components` are the parts of a folder in diffusers' layout, the denoiser first, and `pipeline`
    begins the name of its class there ("": a Stable Diffusion's). `part_files` are the marks of
    parts that lie in files of their own, as in ComfyUI's folders. `standard_models` are the names
    of those that are embedded or can be downloaded; others are added by the user. Where it
    `shares_adapters`, those of one model fit the others: learnt on the base, they paint with its
    distilled twin. One that `takes_references` is conditioned by pictures themselves; prompts then
    call them by their numbers. Others need an `ip_adapter`, a file of that name or another.
    `samplers` are those that it paints with. `step_s` is the seconds of a training step on one
    core, with its share of what surrounds the steps; `memory_bytes` what learning takes on a
    processor at the preset's batch; None where neither was measured.
    """

    name: str
    resolution: int
    balanced_steps: int
    is_pixel_art: bool = False
    components: tuple[str, ...] = ("unet", "vae", "text_encoder")
    pipeline: str = ""
    part_files: Mapping[str, WeightMark] = field(default_factory=dict)
    standard_models: tuple[str, ...] = ()
    samplers: tuple[SamplerName, ...] = get_args(SamplerName)
    tiles_seamlessly: bool = True
    weighs_prompts: bool = True
    takes_references: bool = False
    ip_adapter: str = ""
    shares_adapters: bool = False
    step_s: float | None = None
    memory_bytes: int | None = None


FAMILIES: Mapping[Family, FamilyFacts] = {
    "sprite32": FamilyFacts(
        "sprite32",
        32,
        60,
        is_pixel_art=True,
        standard_models=("sprite32",),
        step_s=0.55,
        memory_bytes=_GIB,
    ),
    "sd15": FamilyFacts(
        "SD 1.5",
        512,
        400,
        standard_models=("sd15",),
        ip_adapter="ip-adapter-plus_sd15.safetensors",
        memory_bytes=13 * _GIB,
    ),
    "sdxl": FamilyFacts(
        "SDXL",
        1024,
        400,
        components=("unet", "vae", "text_encoder", "text_encoder_2"),
        standard_models=("sdxl",),
        ip_adapter="ip-adapter-plus_sdxl_vit-h.safetensors",
    ),
    "flux2-klein": FamilyFacts(
        "FLUX.2 klein",
        1024,
        500,
        components=("transformer", "vae", "text_encoder"),
        pipeline="Flux2Klein",
        part_files={
            "transformer": WeightMark("double_blocks.0.img_attn.qkv.weight", (9216, 3072)),
            "text_encoder": WeightMark("model.embed_tokens.weight", (151_936, 2560)),
            "vae": WeightMark("bn.running_mean", (128,)),
        },
        standard_models=("flux2-klein", "flux2-klein-distilled"),
        samplers=("Euler",),
        tiles_seamlessly=False,
        weighs_prompts=False,
        takes_references=True,
        shares_adapters=True,
    ),
}
FAMILY_NAMES = ", ".join(facts.name for facts in FAMILIES.values())
TILING_FAMILIES, WEIGHING_FAMILIES = (
    ", ".join(facts.name for facts in FAMILIES.values() if getattr(facts, trait))
    for trait in ("tiles_seamlessly", "weighs_prompts")
)
REFERENCE_FAMILIES = ", ".join(
    facts.name for facts in FAMILIES.values() if facts.takes_references or facts.ip_adapter
)
STANDARD_MODELS: Mapping[str, Family] = {
    name: family for family, facts in FAMILIES.items() for name in facts.standard_models
}


def is_pixel_art(family: Family) -> bool:
    """Return True for a family that paints sprites."""
    return FAMILIES[family].is_pixel_art


def training_steps(family: Family, preset: PresetName) -> int:
    """Return the maximum number of training steps; training stops early on a likeness plateau."""
    return (
        WRITE_UP_STEPS
        if preset == "write-up"
        else round(FAMILIES[family].balanced_steps * _STEPS_FACTOR[preset])
    )
