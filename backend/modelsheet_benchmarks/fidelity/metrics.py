"""Benchmark metrics of one subject: subject and prompt fidelity, prior drift, PRES, DIV and
nearest-truth tests, with their bounds and the untuned base's values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

import torch
from PIL import Image

from modelsheet.diffusion.models.base_model import image_tensor
from modelsheet.diffusion.training.fidelity_metrics import (
    prior_drift,
    prompt_fidelity,
    subject_fidelity,
)
from modelsheet.imaging.framing import has_transparency
from modelsheet.imaging.keying import key_out
from modelsheet.imaging.rgba import composite
from modelsheet_benchmarks.fidelity.distractors import Distractors
from modelsheet_benchmarks.fidelity.image_encoders import Encoders, ImageEncoder
from modelsheet_benchmarks.fidelity.nearest_truth import compare_with_truth
from modelsheet_benchmarks.subjects import BenchmarkSubject

_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class GeneratedImages:
    """The images generated in one evaluation.

    `subject`: of the subject, by each of `prompts` (worded with the class noun), seeds side by
    side; `prior`: of the class noun, one a prompt; `bare_class`: of the class noun and nothing
    else.
    """

    prompts: Sequence[str]
    subject: Sequence[Image.Image]
    prior: Sequence[Image.Image]
    bare_class: Sequence[Image.Image]


@dataclass(frozen=True)
class MetricVariant:
    """An image encoder over the full frame, or masked over the subject alone."""

    prefix: str
    encoder: ImageEncoder
    is_masked: bool


class MetricSuite:
    """All metrics of one subject, beside those of the untuned base's images."""

    def __init__(
        self,
        subject: BenchmarkSubject,
        encoders: Encoders,
        untuned: GeneratedImages,
        seeds: int,
        distractors: Mapping[str, Distractors],
        is_pixel_art: bool,
    ) -> None:
        self._subject, self._untuned, self._seeds = subject, untuned, seeds
        self._distractors, self._is_pixel_art = distractors, is_pixel_art
        self._clip, self._encoders = encoders.clip, encoders.image
        self._suffixes = [suffix for suffix in subject.prompts for _ in range(seeds)]
        self._texts = self._clip.embed_texts(untuned.prompts)
        references = _tensors(subject.references)
        self._references = {each.name: each.embed(references) for each in self._encoders}
        self._bounds: dict[str, float] = {}
        for variant in self._variants():
            self._bounds |= {
                f"{variant.prefix}real_fidelity": self._real_fidelity(variant),
                f"{variant.prefix}base_fidelity": self._subject_fidelity(untuned.subject, variant),
            }
        self._bounds |= {
            f"base_{name}": value
            for name, value in (self._prompt_fidelity(untuned) | self._quality(untuned)).items()
        }
        if subject.truths:
            self._bounds["real_prompt_fidelity"] = self._truths_prompt_fidelity()

    def measure(self, generated: GeneratedImages) -> dict[str, float]:
        """Return all metrics by name; those that need truths, masks or several seeds only where
        there are any.
        """
        fidelity = {
            f"{variant.prefix}subject_fidelity": self._subject_fidelity(generated.subject, variant)
            for variant in self._variants()
        }
        before, after = (torch.stack(_tensors(each.prior)) for each in (self._untuned, generated))
        found = {**fidelity, **self._bounds, "prior_drift": prior_drift(before, after)}
        found |= self._prompt_fidelity(generated) | self._quality(generated)
        return found | self._truth_metrics(generated.subject)

    def _variants(self) -> list[MetricVariant]:
        """List the variants to measure; CLIP's have no prefix, for it is always present."""
        subject = self._subject
        frames = [("", False)]
        on_white = any(subject.is_on_white(suffix) for suffix in subject.prompts)
        if on_white and all(has_transparency(each) for each in subject.references):
            frames.append(("masked_", True))
        return [
            MetricVariant(
                frame + ("" if encoder.name == "clip" else f"{encoder.name}_"), encoder, is_masked
            )
            for encoder in self._encoders
            for frame, is_masked in frames
        ]

    def _subject_fidelity(self, pictures: Sequence[Image.Image], variant: MetricVariant) -> float:
        """Compute CLIP-I or DINO; masked, of the images asked for on white, with a keyed-out
        background.
        """
        if variant.is_masked:
            pictures = [
                key_out(picture, _WHITE, hard_edge=self._is_pixel_art)
                for picture, suffix in zip(pictures, self._suffixes, strict=True)
                if self._subject.is_on_white(suffix)
            ]
        return subject_fidelity(
            variant.encoder.embed(_tensors(pictures)), self._reference_of(variant)
        )

    def _real_fidelity(self, variant: MetricVariant) -> float:
        """Compute the upper bound of subject fidelity: that of true images or, where none are
        known, of the references among each other.
        """
        subject, references = self._subject, self._reference_of(variant)
        real = [
            pictures[0]
            for suffix, pictures in subject.truths.items()
            if not variant.is_masked or subject.is_on_white(suffix)
        ]
        if real:
            return subject_fidelity(variant.encoder.embed(_tensors(real)), references)
        return _mean_of_pairs(references) if len(references) > 1 else 1.0

    def _reference_of(self, variant: MetricVariant) -> torch.Tensor:
        return self._references[variant.encoder.name]

    def _prompt_fidelity(self, generated: GeneratedImages) -> dict[str, float]:
        """Compute CLIP-T, with the identifier taken out of the prompts."""
        vectors = self._clip.embed_images(_tensors(generated.subject))
        return {"prompt_fidelity": prompt_fidelity(vectors, self._texts)}

    def _truths_prompt_fidelity(self) -> float:
        """Compute the true images' prompt fidelity; less than the base's own images have, which
        show the words alone.
        """
        real = [self._subject.truths[suffix][0] for suffix in self._suffixes]
        return prompt_fidelity(self._clip.embed_images(_tensors(real)), self._texts)

    def _quality(self, generated: GeneratedImages) -> dict[str, float]:
        """Compute PRES and DIV (Ruiz et al. 2022) by the last encoder, DINO's where there is one.

        PRES: likeness of the bare class noun's images to the subject; less is better. DIV: distance
        of one prompt's images from each other, here by 1 - cosine, not LPIPS; more is better.
        """
        encoder = self._encoders[-1]
        bare = encoder.embed(_tensors(generated.bare_class))
        found = {"pres": subject_fidelity(bare, self._references[encoder.name])}
        if self._seeds > 1:
            groups = encoder.embed(_tensors(generated.subject)).split(self._seeds)
            found["div"] = mean(1 - _mean_of_pairs(group) for group in groups)
        return found

    def _truth_metrics(self, pictures: Sequence[Image.Image]) -> dict[str, float]:
        truths = self._subject.truths
        if not truths:
            return {}
        comparisons = [
            compare_with_truth(picture, truths[suffix], self._distractors[suffix])
            for picture, suffix in zip(pictures, self._suffixes, strict=True)
        ]
        return {
            "truth_distance": mean(each.distance for each in comparisons),
            "palette_distance": mean(each.palette_distance for each in comparisons),
            "subject_right": mean(each.subject_right for each in comparisons),
            "prompt_right": mean(each.prompt_right for each in comparisons),
            "both_right": mean(each.both_right for each in comparisons),
            "rivals": mean(each.count for each in self._distractors.values()),
            "rivals_composed": mean(each.are_composed for each in self._distractors.values()),
        }


def _tensors(pictures: Sequence[Image.Image]) -> list[torch.Tensor]:
    """Composite pictures on white, (3, H, W) in [-1, 1]."""
    return [image_tensor(composite(picture, _WHITE)) for picture in pictures]


def _mean_of_pairs(vectors: torch.Tensor) -> float:
    """Return the mean cosine of every vector to every other one."""
    cosines, count = vectors @ vectors.T, len(vectors)
    return float((cosines.sum() - cosines.trace()) / (count * (count - 1)))
