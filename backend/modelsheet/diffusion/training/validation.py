"""Validate an adapter while it is trained: a few images at fixed seeds, and their metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image

from modelsheet.api.learn import LikenessPoint
from modelsheet.api.types import Family
from modelsheet.base_models.families import FAMILIES, is_pixel_art
from modelsheet.diffusion.models.base_model import BaseModel, eval_mode, image_tensor, to_pil_images
from modelsheet.diffusion.models.clip_encoders import Clip
from modelsheet.diffusion.models.hyperparameters import Hyperparameters
from modelsheet.diffusion.sampling.plain_generation import SamplingSettings, sample_latents
from modelsheet.diffusion.training.adapter import TrainableAdapter
from modelsheet.diffusion.training.fidelity_metrics import (
    prior_drift,
    prompt_fidelity,
    selection_score,
    subject_fidelity,
    text_drift,
)
from modelsheet.errors import LearningDiverged, UnsafeModel
from modelsheet.imaging.framing import conditioning_pictures, has_transparency
from modelsheet.imaging.keying import key_out
from modelsheet.imaging.likeness import DrawnReferences
from modelsheet.imaging.rgba import composite
from modelsheet.prompts.captions import FLAT_BACKGROUNDS, PromptTemplate
from modelsheet.prompts.mentions import picture_numbers

_SPRITE_DETAILS = ("", "holding dagger", "with red book", "black cloak")
_PHOTO_DETAILS = ("", "in the snow")
_INFERENCE_STEPS = 8  # enough for the metrics, and validation may cost a fifth of the time
_FIRST_SEED = 1000
_BACKGROUND = "white"


@dataclass(frozen=True)
class ValidationResult:
    """Metrics, None without a CLIP, and the generated images of the subject, a prompt each."""

    point: LikenessPoint | None
    images: list[Image.Image]


def validation_interval(hyperparameters: Hyperparameters, family: Family) -> int:
    """Return the number of steps between validations: the preset's or, where its steps are too
    cheap for that, as many as keep validation below a fifth of the time.
    """
    validation, step = validation_passes(family), step_passes(hyperparameters)
    return max(hyperparameters.validation_steps, math.ceil(4 * validation / step))


def validation_passes(family: Family) -> int:
    """Count the forward passes of one image in a validation: subject and class, and two a step
    for guidance.
    """
    return 2 * len(_details_of(family)) * 2 * _INFERENCE_STEPS


def step_passes(hyperparameters: Hyperparameters) -> int:
    """Count a training step in forward passes of one image, a backward pass being two."""
    passes = 3 * (hyperparameters.batch + hyperparameters.prior_batch)
    if hyperparameters.prior == "no-images":
        passes += hyperparameters.prior_batch
    return hyperparameters.accumulation * passes


class Validator:
    """Generate the same prompts with the same noise at every validation, and measure them; draws
    no random numbers of the training loop.

    Where all references are cut out, subject fidelity is measured on the subject alone: the
    background of a generated image is keyed out, and both are put on white.
    """

    def __init__(
        self,
        base: BaseModel,
        adapter: TrainableAdapter,
        naming: PromptTemplate,
        references: Sequence[Image.Image],
        clip: Clip | None,
        drawn: DrawnReferences | None = None,
    ) -> None:
        """Generate the class with the adapter off, as the baseline. `references`: prepared RGBA
        pictures; `drawn`: the same at the size they were drawn, to measure likeness by. Raises
        UnsafeModel where the base generates no finite numbers.
        """
        self.base, self.adapter, self.clip, self.drawn = base, adapter, clip, drawn
        self._naming, self._pictures = naming, references
        self._is_numbered = FAMILIES[naming.family].takes_references
        details = _details_of(naming.family)
        self._is_masked = all(has_transparency(each) for each in references)
        self._background = background = _BACKGROUND if self._is_masked else None
        self.prompts = [naming.instance_prompt(detail, background) for detail in details]
        self.class_prompts = [naming.class_prompt(detail, background) for detail in details]
        with adapter.off():
            self.class_before = self._generate(self.class_prompts)
            if not torch.isfinite(self.class_before).all():
                raise UnsafeModel(
                    f"{base.id} gives no usable numbers when it paints: its file is damaged. "
                    "Install the base model again or take another."
                )
            self._text_before = self._encode_class_prompts()
            if clip is not None:
                self.references = clip.embed_images([_on_white(each) for each in references])
                self.texts = clip.embed_texts(self.class_prompts)
        # The base's own class images are step 0 of the curve.
        self.before = self._undrifted_point(0, self.class_before)

    def _undrifted_point(self, step: int, generated: torch.Tensor) -> LikenessPoint | None:
        """Measure images, but no drift. None without a CLIP."""
        if self.clip is None:
            return None
        images = to_pil_images(generated)
        subject, prompt = self._fidelities(self.clip, images)
        return LikenessPoint(
            step=step,
            subject_fidelity=subject,
            prompt_fidelity=prompt,
            prior_drift=0.0,
            score=selection_score(subject, prompt, prompt, 0.0),
            likeness=self._likeness(images, subject),
        )

    def validate(self, step: int) -> ValidationResult:
        """Measure the adapter as it is after `step` steps. Raises LearningDiverged."""
        generated = self._generate(self.prompts)
        if not torch.isfinite(generated).all():
            raise LearningDiverged(
                f"Learning went out of bounds by step {step}: what is painted are no pictures any "
                "more. Learn again with a lower learning rate or with a preset as it is."
            )
        images = to_pil_images(generated)
        return ValidationResult(self._point(step, images), images)

    def compare_references(self, step: int) -> tuple[LikenessPoint | None, LikenessPoint | None]:
        """Measure the subject's pictures as references: alone, and with the adapter as it is after
        `step` steps. None without a CLIP, or where the base takes no references.
        """
        if self.clip is None or not self.base.takes_references:
            return None, None
        given = conditioning_pictures(self._pictures, self.base.training_resolution)
        references = self.base.encode_references(given)
        numbers = picture_numbers(1, len(given)) if self._is_numbered else ""
        naming = replace(self._naming, class_noun=f"{self._naming.class_noun}{numbers}")
        details, background = _details_of(naming.family), self._background
        alone = [naming.class_prompt(detail, background) for detail in details]
        both = [naming.instance_prompt(detail, background) for detail in details]
        with self.adapter.off():
            by_references = self._generate(alone, references)
        by_both = self._generate(both, references)
        return self._undrifted_point(0, by_references), self._undrifted_point(step, by_both)

    def _point(self, step: int, images: Sequence[Image.Image]) -> LikenessPoint | None:
        if self.clip is None or self.before is None:
            return None
        subject, prompt = self._fidelities(self.clip, images)
        drift = prior_drift(self.class_before, self._generate(self.class_prompts))
        return LikenessPoint(
            step=step,
            subject_fidelity=subject,
            prompt_fidelity=prompt,
            prior_drift=drift,
            score=selection_score(subject, prompt, self.before.prompt_fidelity, drift),
            text_drift=text_drift(self._text_before, self._encode_class_prompts()),
            likeness=self._likeness(images, subject),
        )

    def _likeness(self, images: Sequence[Image.Image], subject_fidelity: float) -> float:
        """Return the likeness to show. It is no part of the score, which must not prefer pictures
        that stand like the references whatever their prompt says.
        """
        if self.drawn is None:
            return min(1.0, max(0.0, subject_fidelity))
        return self.drawn.likeness([self._cut_out(image) for image in images])

    def _fidelities(self, clip: Clip, images: Sequence[Image.Image]) -> tuple[float, float]:
        """Return subject fidelity and prompt fidelity."""
        with self.adapter.off():  # where the base is its own CLIP, it measures as it was
            whole = clip.embed_images([image_tensor(image) for image in images])
            masked = clip.embed_images([_on_white(self._cut_out(image)) for image in images])
        return subject_fidelity(masked, self.references), prompt_fidelity(whole, self.texts)

    def _cut_out(self, image: Image.Image) -> Image.Image:
        """Remove the background where the references are cut out too; returns RGBA."""
        if not self._is_masked:
            return image.convert("RGBA")
        return key_out(image, FLAT_BACKGROUNDS[_BACKGROUND], hard_edge=self.base.is_pixel_art)

    @torch.no_grad()
    def _encode_class_prompts(self) -> torch.Tensor:
        return self.base.encode_prompts(self.class_prompts).hidden

    def _generate(
        self, prompts: Sequence[str], references: tuple[torch.Tensor, ...] = ()
    ) -> torch.Tensor:
        """Return images (B, 3, H, W) in [-1, 1], with the same seed for a prompt every time."""
        settings = SamplingSettings(
            prompts=prompts,
            seeds=[_FIRST_SEED + index for index in range(len(prompts))],
            width=self.base.training_resolution,
            height=self.base.training_resolution,
            inference_steps=_INFERENCE_STEPS,
            guidance_scale=self.base.guidance_scale,
            references=references,
        )
        with eval_mode(list(self.base.modules())):
            return self.base.decode_latents(sample_latents(self.base, settings))


def _details_of(family: Family) -> Sequence[str]:
    return _SPRITE_DETAILS if is_pixel_art(family) else _PHOTO_DETAILS


def _on_white(picture: Image.Image) -> torch.Tensor:
    return image_tensor(composite(picture, (255, 255, 255)))
