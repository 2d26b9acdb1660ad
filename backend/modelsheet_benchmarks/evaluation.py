"""What a benchmark asks of one subject: prompts painted by the untuned base, and by the base as a
contestant taught it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.sampling.plain_generation import SamplingSettings, sample_images
from modelsheet_benchmarks.distractors import rivals_of
from modelsheet_benchmarks.image_encoders import Senses
from modelsheet_benchmarks.methods import Contestant, Taught
from modelsheet_benchmarks.metrics import Gauge, Paintings
from modelsheet_benchmarks.result_table import Row, row_of
from modelsheet_benchmarks.subjects import Doll
from sprite_training.sprite32.tiles import TileSet

INFERENCE_STEPS = 25
_BATCH = 6
_BARE = 8  # pictures of the class noun alone, for PRES


@dataclass(frozen=True)
class Result:
    """One subject learnt by one contestant; `painted` by what was asked, a picture a seed."""

    figures: Mapping[str, float]
    taught: Taught
    painted: Mapping[str, Sequence[Image.Image]]


class Exam:
    """One subject's questions. What does not depend on the contestant is painted once, here.

    `seeds`: pictures a prompt. `dolls`: all subjects, this one among them; `tiles` to compose
    rivals of.
    """

    def __init__(
        self,
        doll: Doll,
        dolls: Sequence[Doll],
        base: BaseModel,
        senses: Senses,
        tiles: TileSet | None,
        seeds: int,
        inference_steps: int = INFERENCE_STEPS,
    ) -> None:
        self.doll, self.seeds, self._base = doll, seeds, base
        self._inference_steps = inference_steps
        self._asked = [each for each in doll.prompts for _ in range(seeds)]
        self.rivals = {each: rivals_of(doll, each, dolls, tiles) for each in doll.truths}
        untuned = self._paint_all(None)
        self._gauge = Gauge(doll, senses, untuned, seeds, self.rivals, base.is_pixel_art)

    def sit(self, contestant: Contestant, budget_s: float | None = None) -> Result:
        """Let a contestant learn the subject, for about `budget_s` seconds at most, and measure."""
        with contestant.teach(self._base, self.doll, budget_s) as taught:
            paintings = self._paint_all(taught.phrase)
        shown = iter(paintings.asked)
        return Result(
            figures={**self._gauge.measure(paintings), "seconds": taught.seconds},
            taught=taught,
            painted={
                asked: [next(shown) for _ in range(self.seeds)] for asked in self.doll.prompts
            },
        )

    def _paint_all(self, phrase: str | None) -> Paintings:
        """Everything that is asked, by the subject's name; None paints the class noun alone."""
        doll = self.doll
        noun, prompts = doll.class_noun, [doll.prompts[asked] for asked in self._asked]
        seeds = list(range(len(prompts)))
        asked = self._paint([each.format(phrase or noun) for each in prompts], seeds)
        first = slice(None, None, self.seeds)
        as_class = [each.format(noun) for each in prompts]
        return Paintings(
            prompts=as_class,
            asked=asked,
            of_class=self._paint(as_class[first], seeds[first]) if phrase else asked[first],
            bare=self._paint([doll.bare_prompt.format(noun)] * _BARE, list(range(_BARE))),
        )

    def _paint(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
        side, painted = self._base.resolution, list[Image.Image]()
        for start in range(0, len(prompts), _BATCH):
            batch = slice(start, start + _BATCH)
            painting = SamplingSettings(
                prompts[batch],
                seeds[batch],
                side,
                side,
                self._inference_steps,
                self._base.guidance_scale,
            )
            painted += sample_images(self._base, painting)
        return painted


class Report:
    """All contestants' results, in the order of the exams, and their rows."""

    def __init__(self, exams: Sequence[Exam]) -> None:
        self.dolls = [exam.doll for exam in exams]
        self.rows: list[Row] = []
        self.results: dict[str, Sequence[Result]] = {}

    def add(self, contestant: str, results: Sequence[Result]) -> None:
        self.results[contestant] = results
        by_subject = {
            doll.name: result.figures for doll, result in zip(self.dolls, results, strict=True)
        }
        self.rows.append(row_of(contestant, by_subject))
