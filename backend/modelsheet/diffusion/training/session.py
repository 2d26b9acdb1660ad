"""Learning one subject from start to end: naming, pictures, prior, loop, probes, the best
adapter.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import torch
from PIL import Image

from modelsheet.api.learn import LearnReport, LearnRequest, LikenessPoint, TrainingOverrides
from modelsheet.diffusion.kernels.packed_conv2d import pack_convolutions
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.clip import Clip
from modelsheet.diffusion.models.decoder_correction import (
    Correction,
    apply_correction,
    correction_tensors,
)
from modelsheet.diffusion.models.identifier_embedding import IdentifierEmbedding
from modelsheet.diffusion.sampling.plain_generation import ProgressCallback
from modelsheet.diffusion.training import class_noun, identifier
from modelsheet.diffusion.training import report as diagnosis
from modelsheet.diffusion.training.adapter import LearningAdapter
from modelsheet.diffusion.training.batches import PriorExamples
from modelsheet.diffusion.training.checkpoint import (
    Checkpoint,
    newest_checkpoint,
    saving,
    write_checkpoint,
)
from modelsheet.diffusion.training.class_images import class_latents
from modelsheet.diffusion.training.dataset import encode_instances, prepare_pictures, warnings_for
from modelsheet.diffusion.training.decoder import learn_correction
from modelsheet.diffusion.training.metrics import is_as_good
from modelsheet.diffusion.training.presets import Hyperparameters, hyperparameters_for
from modelsheet.diffusion.training.trainer import StepReport, Training
from modelsheet.diffusion.training.validation import Prober, probe_interval
from modelsheet.errors import InvalidRequest
from modelsheet.prompts.captions import PromptTemplate, caption_from_layer_name, class_prompts

_logger = logging.getLogger(__name__)
_UNMEASURED = (
    "Likeness was not measured, for no CLIP stands beside this base model. Get it with: "
    "modelsheet models download clip."
)


@dataclass(frozen=True)
class LearningEvent:
    """What happened in the loop: a step, and at some of them a probe with its pictures."""

    report: StepReport
    probe: LikenessPoint | None = None
    pictures: Sequence[Image.Image] = ()


@dataclass(frozen=True)
class Learnt:
    naming: PromptTemplate
    captions: list[str]
    warnings: list[str]
    curve: list[LikenessPoint]
    training_steps: int
    report: LearnReport


@dataclass(frozen=True)
class Surroundings:
    """What learning must know of the installation: identifiers in use, the artist's own nouns, a
    folder for class pictures, and the CLIP of the base, None where there is none.
    """

    taken: Collection[str]
    own_nouns: Sequence[str]
    cache: Path
    clip: Clip | None


class Learning:
    """One subject while it is learnt. Open it by `opened`, which leaves the base as it was: what
    must be undone for that goes to `undo`.

    `report` hears of every step while class pictures are painted, and may raise.
    """

    def __init__(
        self,
        base: BaseModel,
        request: LearnRequest,
        pictures: Sequence[Image.Image],
        folder: Path,
        around: Surroundings,
        undo: ExitStack,
        report: ProgressCallback | None = None,
    ) -> None:
        self.base, self.folder = base, folder
        self.recipe = hyperparameters_for(base.family, request.preset, request.overrides)
        self.captions = _captions(request)
        self.pictures = prepare_pictures(pictures, base)
        self.naming = self._name(request, around)
        self.warnings = warnings_for(self.pictures) + ([] if around.clip else [_UNMEASURED])
        self.curve: list[LikenessPoint] = []
        self.best_step = 0
        self.best_state: dict[str, torch.Tensor] = {}
        self._seed = request.seed
        wanted = self.recipe.own_decoder and base.is_pixel_art
        self._correction: Correction | None = None if wanted else {}
        prior = _prior_examples(base, self.naming, self.recipe, around.cache, report)
        instances = encode_instances(
            self.pictures,
            self.captions,
            self.naming,
            base,
            flip=self.recipe.flip,
            seed=request.seed,
        )
        self.adapter = LearningAdapter(base, self.recipe.shape, request.seed, self._rows(undo))
        self.training = Training(base, self.adapter, instances, prior, self.recipe, request.seed)
        undo.callback(self.training.release)
        undo.enter_context(pack_convolutions(base.unet))
        self._clip = around.clip
        self._resume()

    @cached_property
    def prober(self) -> Prober:
        """It paints the class as it is before, which takes a while: only where somebody looks."""
        return Prober(self.base, self.adapter, self.naming, self.pictures, self._clip)

    @property
    def learnt_curve(self) -> list[LikenessPoint]:
        """The curve without what the base painted before it learnt anything."""
        return [point for point in self.curve if point.step]

    @property
    def correction(self) -> Correction:
        """The subject's decoder; learnt when it is first asked for."""
        if self._correction is None:
            with self.training.everything_present():
                self._correction = learn_correction(self.base, self.pictures, self._seed)
        return self._correction

    def events(self) -> Iterator[LearningEvent]:
        """Learn step by step, probing now and then, until the end or until likeness stops
        rising.
        """
        if self._has_settled():
            return
        before = self.prober.before  # a base that paints nothing is refused before it learns
        if before is not None and not self.curve:
            self.curve.append(before)
        every = probe_interval(self.recipe, self.base.family)
        for report in self.training.steps():
            is_due = report.step % every == 0 or report.step == report.total
            yield self._probed(report) if is_due else LearningEvent(report)
            if is_due and self._has_settled():
                return

    def look_once_more(self) -> None:
        """Measure the adapter as it is, unless that was done at this very step."""
        curve = self.learnt_curve
        if not curve or curve[-1].step != self.training.step:
            self._probe()

    def save_checkpoint(self) -> None:
        """Raises DiskFull."""
        tensors, position = self.training.snapshot()
        tensors |= {f"best.{name}": value for name, value in self.best_state.items()}
        tensors |= {f"decoder.{name}": each for name, each in (self._correction or {}).items()}
        position |= {"curve": [p.model_dump() for p in self.curve], "best_step": self.best_step}
        write_checkpoint(self.folder, self.training.step, tensors, position)

    def finish(self, staging: Path) -> Learnt:
        """Write the best adapter into `staging` and say what was learnt; where the recipe wants to
        learn to the end, the last one. Raises DiskFull.
        """
        steps = self.training.step
        kept = steps
        usual = hyperparameters_for(self.base.family, "balanced", TrainingOverrides())
        facts = self.recipe, usual, self.naming, self.curve
        if self.best_state and self.recipe.patience is not None:
            kept = self.best_step
        report = diagnosis.report(*facts, kept_step=kept, steps=steps, adapter=self.adapter)
        if kept != steps:
            self.adapter.load_state(self.best_state)
        with saving("The adapter"):
            self.adapter.save(staging, correction_tensors(self.correction))
        return Learnt(self.naming, self.captions, self.warnings, self.curve, steps, report)

    def _name(self, request: LearnRequest, around: Surroundings) -> PromptTemplate:
        """Name the subject once; a resumed job keeps the name it began with."""
        file = self.folder / "naming.json"
        if file.is_file():
            return PromptTemplate(**json.loads(file.read_text("utf-8")))
        own = around.clip, around.own_nouns
        noun = class_noun.check(request.class_noun, self.pictures, self.base, *own)
        if self.recipe.fixed_identifier:
            word = self.recipe.fixed_identifier
        elif request.identifier.strip():
            word = identifier.check(request.identifier, self.base, around.taken)
        else:
            word = identifier.choose(self.base, noun, around.taken)[0]
        naming = PromptTemplate(word, noun, self.base.family)
        with saving("The subject's naming"):
            self.folder.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(asdict(naming)), "utf-8")
        return naming

    def _rows(self, undo: ExitStack) -> IdentifierEmbedding | None:
        if not self.recipe.pivotal:
            return None
        naming = self.naming
        rows = IdentifierEmbedding.from_class_noun(self.base, naming.identifier, naming.class_noun)
        undo.callback(rows.remove)
        return rows

    def _probed(self, report: StepReport) -> LearningEvent:
        pictures = self._probe()
        return LearningEvent(report, self.curve[-1] if self.curve else None, pictures)

    def _probe(self) -> Sequence[Image.Image]:
        step, correction = self.training.step, self.correction
        with self.training.everything_present():
            prober = self.prober
            with apply_correction(self.base, correction):
                probe = prober.look(step)
        if probe.point is None:
            return probe.pictures
        self.curve.append(probe.point)
        if is_as_good(probe.point.score, [point.score for point in self.learnt_curve]):
            self.best_step, self.best_state = step, self.adapter.state()
        return probe.pictures

    def _has_settled(self) -> bool:
        if self.recipe.patience is None:
            return False
        scores = [point.score for point in self.learnt_curve]
        return bool(scores) and len(scores) - 1 - scores.index(max(scores)) >= self.recipe.patience

    def _resume(self) -> None:
        saved = newest_checkpoint(self.folder)
        if saved is None:
            return
        self.training.restore(saved)
        self.curve = [LikenessPoint(**point) for point in saved.position["curve"]]
        self.best_step = int(saved.position["best_step"])
        self.best_state = _part(saved, "best.")
        self._correction = _part(saved, "decoder.") or self._correction
        _logger.info("learning goes on from step %d", saved.step)


@contextmanager
def opened(make: Callable[[ExitStack], Learning], base: BaseModel) -> Iterator[Learning]:
    """Learn, and on every way out take the adapter off the base."""
    with ExitStack() as undo:
        undo.callback(base.pipeline.unload_lora_weights)
        yield make(undo)


def _part(saved: Checkpoint, prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in saved.tensors.items()
        if name.startswith(prefix)
    }


def _captions(request: LearnRequest) -> list[str]:
    """The artist's captions, else what the layers' names say. Raises InvalidRequest."""
    if request.captions is None:
        return [caption_from_layer_name(image.name) for image in request.images]
    if len(request.captions) != len(request.images):
        raise InvalidRequest(
            f"There are {len(request.captions)} captions for {len(request.images)} pictures. "
            "Give one for each, an empty one where there is nothing to say, or none at all."
        )
    return [caption.strip() for caption in request.captions]


def _prior_examples(
    base: BaseModel,
    naming: PromptTemplate,
    recipe: Hyperparameters,
    cache: Path,
    report: ProgressCallback | None,
) -> PriorExamples:
    prompts = list(class_prompts(naming))
    if recipe.prior != "class-images":
        return PriorExamples(prompts)
    latents, prompts = class_latents(base, prompts, cache, report)
    return PriorExamples(prompts, latents)
