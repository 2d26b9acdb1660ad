"""Evaluate learning methods on a benchmark subject: generate its prompts with the untuned base and
with the base that a method trained, and measure both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.sampling.plain_generation import SamplingSettings, sample_images
from modelsheet_benchmarks.fidelity.distractors import distractors_for
from modelsheet_benchmarks.fidelity.image_encoders import Encoders
from modelsheet_benchmarks.fidelity.methods import LearntSubject, Method
from modelsheet_benchmarks.fidelity.metrics import GeneratedImages, MetricSuite
from modelsheet_benchmarks.fidelity.result_table import ResultRow, result_row
from modelsheet_benchmarks.subjects import BenchmarkSubject
from sprite_training.sprite32.tiles import TileSet

INFERENCE_STEPS = 25
_BATCH = 6
_CLASS_IMAGES = 8  # of the class noun alone, for PRES


@dataclass(frozen=True)
class SubjectResult:
    """One subject learnt by one method; `generated` maps each prompt suffix to an image a seed."""

    metrics: Mapping[str, float]
    learnt: LearntSubject
    generated: Mapping[str, Sequence[Image.Image]]


class Evaluation:
    """The evaluation of one subject: its prompts, distractors, and the untuned base's images."""

    def __init__(
        self,
        subject: BenchmarkSubject,
        subjects: Sequence[BenchmarkSubject],
        base: BaseModel,
        encoders: Encoders,
        tiles: TileSet | None,
        seeds: int,
        inference_steps: int = INFERENCE_STEPS,
    ) -> None:
        """Generate the untuned base's images. `subjects`: all of them, this one included; `tiles`
        to compose distractors from; `seeds`: images a prompt.
        """
        self.subject, self.seeds, self._base = subject, seeds, base
        self._inference_steps = inference_steps
        self._suffixes = [each for each in subject.prompts for _ in range(seeds)]
        self.distractors = {
            each: distractors_for(subject, each, subjects, tiles) for each in subject.truths
        }
        untuned = self._generate_all(None)
        self._metrics = MetricSuite(
            subject, encoders, untuned, seeds, self.distractors, base.is_pixel_art
        )

    def evaluate(self, method: Method, time_limit_s: float | None = None) -> SubjectResult:
        """Learn the subject by a method, for about `time_limit_s` seconds at most, and measure."""
        with method.learn(self._base, self.subject, time_limit_s) as learnt:
            generated = self._generate_all(learnt.phrase, learnt.references)
        images = iter(generated.subject)
        return SubjectResult(
            metrics={**self._metrics.measure(generated), "seconds": learnt.seconds},
            learnt=learnt,
            generated={
                suffix: [next(images) for _ in range(self.seeds)] for suffix in self.subject.prompts
            },
        )

    def _generate_all(
        self, phrase: str | None, references: tuple[torch.Tensor, ...] = ()
    ) -> GeneratedImages:
        """Generate all prompts with the subject's phrase and its references; None stands for the
        class noun alone.
        """
        subject = self.subject
        noun, prompts = subject.class_noun, [subject.prompts[each] for each in self._suffixes]
        seeds = list(range(len(prompts)))
        worded = [each.format(phrase or noun) for each in prompts]
        images = self._generate(worded, seeds, references)
        first = slice(None, None, self.seeds)
        as_class = [each.format(noun) for each in prompts]
        return GeneratedImages(
            prompts=as_class,
            subject=images,
            prior=self._generate(as_class[first], seeds[first]) if phrase else images[first],
            bare_class=self._generate(
                [subject.class_prompt.format(noun)] * _CLASS_IMAGES, list(range(_CLASS_IMAGES))
            ),
        )

    def _generate(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        references: tuple[torch.Tensor, ...] = (),
    ) -> list[Image.Image]:
        side, generated = self._base.resolution, list[Image.Image]()
        for start in range(0, len(prompts), _BATCH):
            batch = slice(start, start + _BATCH)
            settings = SamplingSettings(
                prompts[batch],
                seeds[batch],
                side,
                side,
                self._inference_steps,
                self._base.guidance_scale,
                references=references,
            )
            generated += sample_images(self._base, settings)
        return generated


class BenchmarkResults:
    """The results of all methods, each in the order of the subjects, and a table row a method."""

    def __init__(self, evaluations: Sequence[Evaluation]) -> None:
        self.subjects = [evaluation.subject for evaluation in evaluations]
        self.rows: list[ResultRow] = []
        self.results: dict[str, Sequence[SubjectResult]] = {}

    def add(self, method: str, results: Sequence[SubjectResult]) -> None:
        self.results[method] = results
        by_subject = {
            subject.name: result.metrics
            for subject, result in zip(self.subjects, results, strict=True)
        }
        self.rows.append(result_row(method, by_subject))
