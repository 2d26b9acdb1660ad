"""Looking while it learns: a few pictures at fixed seeds, and what they say about likeness and
drift.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from modelsheet.api.learn import LikenessPoint
from modelsheet.api.types import Family
from modelsheet.diffusion.models.base_model import BaseModel, eval_mode, to_pil_images
from modelsheet.diffusion.models.clip import Clip
from modelsheet.diffusion.sampling.plain_generation import (
    SamplingSettings,
    sample_latents,
)
from modelsheet.diffusion.training.adapter import LearningAdapter
from modelsheet.diffusion.training.augmentation import has_transparency
from modelsheet.diffusion.training.dataset import image_tensor
from modelsheet.diffusion.training.metrics import (
    drift,
    prompt_fidelity,
    score,
    subject_fidelity,
    text_drift,
)
from modelsheet.diffusion.training.presets import Hyperparameters
from modelsheet.errors import LearningDiverged, UnsafeModel
from modelsheet.imaging.keying import key_out
from modelsheet.imaging.rgba import composite
from modelsheet.prompts.captions import FLAT_BACKGROUNDS, PromptTemplate

_SPRITE_DETAILS = ("", "holding dagger", "with red book", "black cloak")
_PHOTO_DETAILS = ("", "in the snow")
_INFERENCE_STEPS = 8  # enough to tell, and a probe must not cost more than a fifth of the time
_FIRST_SEED = 1000
_BACKGROUND = "white"


@dataclass(frozen=True)
class Probe:
    """`pictures` are the subject's, for the artist to look at; `point` is None without a CLIP."""

    point: LikenessPoint | None
    pictures: list[Image.Image]


def probe_interval(recipe: Hyperparameters, family: Family) -> int:
    """Steps from probe to probe: the recipe's or, where its steps are too cheap for that, as many
    as keep probes below a fifth of the time.
    """
    probe, step = passes_of_probe(family), passes_of_step(recipe)
    return max(recipe.probe_every, math.ceil(4 * probe / step))


def passes_of_probe(family: Family) -> int:
    """Passes of one picture through the network: subject and class, guided, so twice a step."""
    return 2 * len(_details_of(family)) * 2 * _INFERENCE_STEPS


def passes_of_step(recipe: Hyperparameters) -> int:
    """The same of a step of learning, where a backward pass costs as much as two."""
    passes = 3 * (recipe.batch + recipe.prior_batch)
    if recipe.prior == "no-images":
        passes += recipe.prior_batch
    return recipe.accumulation * passes


class Prober:
    """Paints the same prompts with the same noise at every probe; draws no random numbers of the
    loop.

    Likeness is of the subject alone where the references are: what is painted around it is cut
    away, and both stand on white.
    """

    def __init__(
        self,
        base: BaseModel,
        adapter: LearningAdapter,
        naming: PromptTemplate,
        references: Sequence[Image.Image],
        clip: Clip | None,
    ) -> None:
        """`references`: prepared RGBA pictures. Raises UnsafeModel: the base paints nothing."""
        self.base, self.adapter, self.clip = base, adapter, clip
        details = _details_of(naming.family)
        self._is_masked = all(has_transparency(each) for each in references)
        shown = _BACKGROUND if self._is_masked else None
        self.prompts = [naming.instance_prompt(detail, shown) for detail in details]
        self.class_prompts = [naming.class_prompt(detail, shown) for detail in details]
        with adapter.off():
            self.class_before = self._paint(self.class_prompts)
            if not torch.isfinite(self.class_before).all():
                raise UnsafeModel(
                    f"{base.id} gives no usable numbers when it paints: its file is damaged. "
                    "Install the base model again or take another."
                )
            self._text_before = self._read_class_prompts()
            if clip is not None:
                self.references = clip.embed_images([_on_white(each) for each in references])
                self.texts = clip.embed_texts(self.class_prompts)
        self.before = self._untuned(clip) if clip is not None else None

    def _untuned(self, clip: Clip) -> LikenessPoint:
        """What the base painted of the class, as the curve's beginning."""
        likeness, obedience = self._seen(clip, to_pil_images(self.class_before))
        return LikenessPoint(
            step=0,
            subject_fidelity=likeness,
            prompt_fidelity=obedience,
            prior_drift=0.0,
            score=score(likeness, obedience, obedience, 0.0),
        )

    def look(self, step: int) -> Probe:
        """Measure the adapter as it is after `step` steps. Raises LearningDiverged."""
        painted = self._paint(self.prompts)
        if not torch.isfinite(painted).all():
            raise LearningDiverged(
                f"Learning went out of bounds by step {step}: what is painted are no pictures any "
                "more. Learn again with a lower learning rate or with a preset as it is."
            )
        pictures = to_pil_images(painted)
        return Probe(self._point(step, pictures), pictures)

    def _point(self, step: int, pictures: Sequence[Image.Image]) -> LikenessPoint | None:
        if self.clip is None or self.before is None:
            return None
        likeness, obedience = self._seen(self.clip, pictures)
        moved = drift(self.class_before, self._paint(self.class_prompts))
        return LikenessPoint(
            step=step,
            subject_fidelity=likeness,
            prompt_fidelity=obedience,
            prior_drift=moved,
            score=score(likeness, obedience, self.before.prompt_fidelity, moved),
            text_drift=text_drift(self._text_before, self._read_class_prompts()),
        )

    def _seen(self, clip: Clip, pictures: Sequence[Image.Image]) -> tuple[float, float]:
        """Likeness and obedience."""
        with self.adapter.off():  # where the base is its own CLIP, it measures as it was
            whole = clip.embed_images([image_tensor(picture) for picture in pictures])
            alone = clip.embed_images([self._alone(picture) for picture in pictures])
        return subject_fidelity(alone, self.references), prompt_fidelity(whole, self.texts)

    def _alone(self, picture: Image.Image) -> torch.Tensor:
        """The subject without what is around it, on white."""
        if not self._is_masked:
            return image_tensor(picture)
        cut = key_out(picture, FLAT_BACKGROUNDS[_BACKGROUND], hard_edge=self.base.is_pixel_art)
        return _on_white(cut)

    @torch.no_grad()
    def _read_class_prompts(self) -> torch.Tensor:
        return self.base.encode_prompts(self.class_prompts).hidden

    def _paint(self, prompts: Sequence[str]) -> torch.Tensor:
        painting = SamplingSettings(
            prompts=prompts,
            seeds=[_FIRST_SEED + index for index in range(len(prompts))],
            width=self.base.resolution,
            height=self.base.resolution,
            inference_steps=_INFERENCE_STEPS,
            guidance_scale=self.base.guidance_scale,
        )
        with eval_mode(list(self.base.modules())):
            return self.base.decode_latents(sample_latents(self.base, painting))


def _details_of(family: Family) -> Sequence[str]:
    return _SPRITE_DETAILS if family == "sprite32" else _PHOTO_DETAILS


def _on_white(picture: Image.Image) -> torch.Tensor:
    return image_tensor(composite(picture, (255, 255, 255)))
