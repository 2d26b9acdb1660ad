"""Who is in a picture: prompts expanded, the subjects they name, and what those wear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import SubjectUse
from modelsheet.api.types import Family
from modelsheet.diffusion.generation.adapters import Garment, Outfit
from modelsheet.diffusion.generation.background_colour import Backdrop, backdrop_for
from modelsheet.prompts.syntax import choose_wildcards
from modelsheet.prompts.variations import Shot


@dataclass(frozen=True)
class Cast:
    """The expanded prompt, the subjects it names, their adapters and their references."""

    text: str
    subjects: tuple[SubjectUse, ...] = ()
    garments: tuple[Garment, ...] = ()
    references: tuple[Image.Image, ...] = ()


# Expands a prompt. Raises NotFound, InvalidRequest, UnsafeModel.
Casting = Callable[[str], Cast]


@dataclass(frozen=True)
class Scene:
    """One shot with its cast: `texts` and `outfits` of the whole picture first, then of each
    region. Scenes with one `key` can be painted in one batch.
    """

    shot: Shot
    texts: tuple[str, ...]
    outfits: tuple[Outfit, ...]
    subjects: tuple[SubjectUse, ...]
    references: tuple[Image.Image, ...]
    backdrop: Backdrop | None

    @property
    def key(self) -> tuple[object, ...]:
        """Text-encoder scale, guidance and seed differ within a batch; the rest cannot."""
        worn = tuple((outfit.garments, outfit.unet_scale) for outfit in self.outfits)
        paper = self.backdrop.colour if self.backdrop else None
        return worn, paper, self.shot.request.inference_steps


def set_scene(shot: Shot, casting: Casting, family: Family) -> Scene:
    request = shot.request
    prompts = [shot.prompt, *(_chosen(region.prompt, request) for region in request.regions)]
    casts = [casting(prompt) for prompt in prompts]
    references = tuple(picture for cast in casts for picture in cast.references)
    backdrop = None
    if request.transparent and request.cutout != "matting":  # which needs no flat background
        backdrop = backdrop_for(casts[0].text, references, family)
    texts = [cast.text for cast in casts]
    if backdrop is not None:
        texts = [f"{cast.text}{backdrop.words}" for cast in casts]
    return Scene(
        shot=shot,
        texts=tuple(texts),
        outfits=tuple(
            Outfit(cast.garments, request.unet_scale, request.text_encoder_scale) for cast in casts
        ),
        subjects=tuple({use.id: use for cast in casts for use in cast.subjects}.values()),
        references=references,
        backdrop=backdrop,
    )


def _chosen(prompt: str, request: GenerateRequest) -> str:
    seed = request.variation_seed if request.variation_strength else request.seed
    return choose_wildcards(prompt, seed)
