"""The figures of one subject: likeness, obedience, the prior, variety and right pictures. Bounds
and the untuned base's figures stand beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

import torch
from PIL import Image

from modelsheet.diffusion.training.augmentation import has_transparency
from modelsheet.diffusion.training.dataset import image_tensor
from modelsheet.diffusion.training.metrics import prior_drift, prompt_fidelity, subject_fidelity
from modelsheet.imaging.keying import key_out
from modelsheet.imaging.rgba import composite
from modelsheet_benchmarks.distractors import Rivals
from modelsheet_benchmarks.image_encoders import Eyes, Senses
from modelsheet_benchmarks.nearest_truth import judge
from modelsheet_benchmarks.subjects import Doll

_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Paintings:
    """`asked`: of the subject, by each of `prompts` (worded with the class noun), seeds side by
    side; `of_class`: of the class noun, one a prompt; `bare`: of the class noun and nothing else.
    """

    prompts: Sequence[str]
    asked: Sequence[Image.Image]
    of_class: Sequence[Image.Image]
    bare: Sequence[Image.Image]


@dataclass(frozen=True)
class View:
    """How a kind of eyes looks: at the full frame, or masked at the subject alone."""

    prefix: str
    eyes: Eyes
    is_masked: bool


class Gauge:
    """Measures what contestants paint of one subject beside what the untuned base painted."""

    def __init__(
        self,
        doll: Doll,
        senses: Senses,
        untuned: Paintings,
        seeds: int,
        rivals: Mapping[str, Rivals],
        is_pixel_art: bool,
    ) -> None:
        self._doll, self._untuned, self._seeds, self._rivals = doll, untuned, seeds, rivals
        self._clip, self._eyes, self._is_pixel_art = senses.clip, senses.eyes, is_pixel_art
        self._asked = [asked for asked in doll.prompts for _ in range(seeds)]
        self._texts = self._clip.embed_texts(untuned.prompts)
        shown = _tensors(doll.references)
        self._references = {eyes.name: eyes.embed(shown) for eyes in self._eyes}
        self._bounds: dict[str, float] = {}
        for view in self._views():
            self._bounds |= {
                f"{view.prefix}real_fidelity": self._real_to_real(view),
                f"{view.prefix}base_fidelity": self._likeness(untuned.asked, view),
            }
        self._bounds |= {
            f"base_{name}": value
            for name, value in (self._obedience(untuned) | self._quality(untuned)).items()
        }
        if doll.truths:
            self._bounds["real_prompt_fidelity"] = self._obedience_of_truths()

    def measure(self, paintings: Paintings) -> dict[str, float]:
        """All figures by name; those that need truths, masks or several seeds only with them."""
        likeness = {
            f"{view.prefix}subject_fidelity": self._likeness(paintings.asked, view)
            for view in self._views()
        }
        before, after = (
            torch.stack(_tensors(each.of_class)) for each in (self._untuned, paintings)
        )
        found = {**likeness, **self._bounds, "prior_drift": prior_drift(before, after)}
        found |= self._obedience(paintings) | self._quality(paintings)
        return found | self._verdicts(paintings.asked)

    def _views(self) -> list[View]:
        """CLIP's figures have no prefix: CLIP there always is."""
        doll = self._doll
        frames = [("", False)]
        on_white = any(doll.stands_on_white(asked) for asked in doll.prompts)
        if on_white and all(has_transparency(each) for each in doll.references):
            frames.append(("masked_", True))
        return [
            View(frame + ("" if eyes.name == "clip" else f"{eyes.name}_"), eyes, is_masked)
            for eyes in self._eyes
            for frame, is_masked in frames
        ]

    def _likeness(self, pictures: Sequence[Image.Image], view: View) -> float:
        """CLIP-I or DINO; masked, of what was asked for on white, cut out and put on white."""
        if view.is_masked:
            pictures = [
                key_out(picture, _WHITE, hard_edge=self._is_pixel_art)
                for picture, asked in zip(pictures, self._asked, strict=True)
                if self._doll.stands_on_white(asked)
            ]
        return subject_fidelity(view.eyes.embed(_tensors(pictures)), self._reference_of(view))

    def _real_to_real(self, view: View) -> float:
        """The upper bound: true pictures, or the references among each other where none are
        known.
        """
        doll, references = self._doll, self._reference_of(view)
        real = [
            pictures[0]
            for asked, pictures in doll.truths.items()
            if not view.is_masked or doll.stands_on_white(asked)
        ]
        if real:
            return subject_fidelity(view.eyes.embed(_tensors(real)), references)
        return _mean_of_pairs(references) if len(references) > 1 else 1.0

    def _reference_of(self, view: View) -> torch.Tensor:
        return self._references[view.eyes.name]

    def _obedience(self, paintings: Paintings) -> dict[str, float]:
        """CLIP-T, the identifier taken out of the prompts."""
        vectors = self._clip.embed_images(_tensors(paintings.asked))
        return {"prompt_fidelity": prompt_fidelity(vectors, self._texts)}

    def _obedience_of_truths(self) -> float:
        """What true pictures reach: less than the base's own, which paint the words alone."""
        real = [self._doll.truths[asked][0] for asked in self._asked]
        return prompt_fidelity(self._clip.embed_images(_tensors(real)), self._texts)

    def _quality(self, paintings: Paintings) -> dict[str, float]:
        """PRES and DIV (Ruiz et al. 2022) by the last eyes, DINO's where they are.

        PRES: how like the subject pictures of the bare class noun are; less is better. DIV: how far
        apart pictures of one prompt are, here by 1 - cosine, not LPIPS; more is better.
        """
        eyes = self._eyes[-1]
        bare = eyes.embed(_tensors(paintings.bare))
        found = {"pres": subject_fidelity(bare, self._references[eyes.name])}
        if self._seeds > 1:
            groups = eyes.embed(_tensors(paintings.asked)).split(self._seeds)
            found["div"] = mean(1 - _mean_of_pairs(group) for group in groups)
        return found

    def _verdicts(self, pictures: Sequence[Image.Image]) -> dict[str, float]:
        truths = self._doll.truths
        if not truths:
            return {}
        verdicts = [
            judge(picture, truths[asked], self._rivals[asked])
            for picture, asked in zip(pictures, self._asked, strict=True)
        ]
        return {
            "truth_distance": mean(each.distance for each in verdicts),
            "palette_distance": mean(each.palette_distance for each in verdicts),
            "subject_right": mean(each.subject_right for each in verdicts),
            "prompt_right": mean(each.prompt_right for each in verdicts),
            "both_right": mean(each.both_right for each in verdicts),
            "rivals": mean(each.count for each in self._rivals.values()),
            "rivals_composed": mean(each.are_composed for each in self._rivals.values()),
        }


def _tensors(pictures: Sequence[Image.Image]) -> list[torch.Tensor]:
    """Pictures on white, (3, H, W) in [-1, 1]."""
    return [image_tensor(composite(picture, _WHITE)) for picture in pictures]


def _mean_of_pairs(vectors: torch.Tensor) -> float:
    """Mean cosine of every vector to every other one."""
    cosines, count = vectors @ vectors.T, len(vectors)
    return float((cosines.sum() - cosines.trace()) / (count * (count - 1)))
