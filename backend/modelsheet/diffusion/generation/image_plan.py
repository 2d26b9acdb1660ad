"""Plan of one image: the prompts of the whole image and of each region, their adapters, and the
background to remove.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from PIL import Image

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import SubjectUse
from modelsheet.api.types import Family
from modelsheet.diffusion.generation.adapters import ActiveAdapters, AdapterFile
from modelsheet.diffusion.generation.background_colour import FlatBackground, choose_background
from modelsheet.diffusion.generation.canvas import Canvas
from modelsheet.prompts.image_requests import ImageRequest, wildcard_seed
from modelsheet.prompts.syntax import expand_wildcards
from modelsheet.prompts.vocabulary import unknown_words


@dataclass(frozen=True)
class ConditioningPicture:
    """A picture by which a subject is painted; equal ones have equal keys."""

    key: str
    picture: Image.Image = field(compare=False)


@dataclass(frozen=True)
class ResolvedPrompt:
    """An expanded prompt, the subjects it mentions, their adapters, their reference images, the
    pictures that condition the base model, and the texts whose words they taught it.
    """

    text: str
    subjects: tuple[SubjectUse, ...] = ()
    adapters: tuple[AdapterFile, ...] = ()
    references: tuple[Image.Image, ...] = ()
    palette: tuple[str, ...] = ()  # of the subjects, where all of their layers are pixel art
    learnt: tuple[str, ...] = ()
    conditioning: tuple[ConditioningPicture, ...] = ()


# Expands a prompt and looks up its subjects. Raises NotFound, InvalidRequest, UnsafeModel.
PromptResolver = Callable[[str], ResolvedPrompt]


@dataclass(frozen=True)
class ImagePlan:
    """One image to generate: `prompts`, `adapters` and `conditioning` of the whole image first,
    then of each region. `request` asks for this image alone, with explicit steps and guidance.
    `unknown_words` count for nothing.
    """

    request: GenerateRequest
    label: str
    prompts: tuple[str, ...]
    adapters: tuple[ActiveAdapters, ...]
    conditioning: tuple[tuple[ConditioningPicture, ...], ...]
    subjects: tuple[SubjectUse, ...]
    references: tuple[Image.Image, ...]
    palette: tuple[str, ...]
    background: FlatBackground | None
    unknown_words: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        assert self.request.inference_steps is not None, "the request is explicit"
        return self.request.inference_steps

    @property
    def guidance_scale(self) -> float:
        assert self.request.guidance_scale is not None, "the request is explicit"
        return self.request.guidance_scale

    @property
    def batch_key(self) -> tuple[object, ...]:
        """Equal for images that can be denoised in one batch: text-encoder scale, guidance and seed
        may differ within it, the rest cannot.
        """
        adapters = tuple((each.files, each.unet_scale) for each in self.adapters)
        background = self.background and self.background.colour
        return adapters, self.conditioning, background, self.steps


def plan_image(
    image: ImageRequest, resolve: PromptResolver, family: Family, canvas: Canvas
) -> ImagePlan:
    """Resolve the prompts of an image and of its regions, and choose the background to remove,
    unlike the subject's colours and those of a figure on the canvas.
    """
    request = image.request
    seed = wildcard_seed(request)
    regions = [expand_wildcards(region.prompt, seed) for region in request.regions]
    prompts = [resolve(prompt) for prompt in (image.prompt, *regions)]
    references = tuple(reference for prompt in prompts for reference in prompt.references)
    background = None
    # The matting model needs no flat background.
    if request.transparent and request.cutout != "matting" and not canvas.keeps_scenery:
        figures = [canvas.init_image] if canvas.is_figure and canvas.init_image else []
        background = choose_background(prompts[0].text, [*references, *figures], family)
    texts = [*(prompt.text for prompt in prompts), request.negative_prompt]
    learnt = [text for prompt in prompts for text in prompt.learnt]
    suffix = background.prompt_suffix if background else ""
    with_subjects = [prompt for prompt in prompts if prompt.subjects]
    if with_subjects and not any(prompt.adapters for prompt in with_subjects):
        request = request.model_copy(update={"subjects_by": "references"})
    return ImagePlan(
        request=request,
        label=image.label,
        prompts=tuple(f"{prompt.text}{suffix}" for prompt in prompts),
        adapters=tuple(
            ActiveAdapters(prompt.adapters, request.unet_scale, request.text_encoder_scale)
            for prompt in prompts
        ),
        conditioning=tuple(prompt.conditioning for prompt in prompts),
        subjects=tuple({use.id: use for prompt in prompts for use in prompt.subjects}.values()),
        references=references,
        palette=_palette(prompts),
        background=background,
        unknown_words=tuple(unknown_words(texts, family, learnt)),
    )


def _palette(prompts: Sequence[ResolvedPrompt]) -> tuple[str, ...]:
    """Return the colours of all subjects, none where the layers of one are no pixel art."""
    palettes = [prompt.palette for prompt in prompts if prompt.subjects]
    return tuple(dict.fromkeys(chain(*palettes))) if all(palettes) else ()
