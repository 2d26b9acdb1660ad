"""Learn one subject: naming, class images, training, validation, and the best adapter."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType

import torch
from PIL import Image

from modelsheet.api.learn import LearnReport, LearnRequest, LikenessPoint, TrainingOverrides
from modelsheet.diffusion.kernels.packed_conv2d import pack_convolutions
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.clip_encoders import Clip
from modelsheet.diffusion.models.decoder_correction import (
    Correction,
    apply_correction,
    correction_tensors,
)
from modelsheet.diffusion.models.identifier_embedding import IdentifierEmbedding
from modelsheet.diffusion.sampling.plain_generation import ProgressCallback
from modelsheet.diffusion.training import identifier
from modelsheet.diffusion.training.adapter import TrainableAdapter
from modelsheet.diffusion.training.batches import PriorExamples
from modelsheet.diffusion.training.checkpoint import (
    TrainingCheckpoint,
    newest_checkpoint,
    saving,
    write_checkpoint,
)
from modelsheet.diffusion.training.class_images import class_latents
from modelsheet.diffusion.training.dataset import (
    crop_references,
    drawn_references,
    encode_instances,
    fit_picture,
    reduction_warnings,
    warnings_for,
)
from modelsheet.diffusion.training.decoder import learn_correction
from modelsheet.diffusion.training.fidelity_metrics import is_as_good
from modelsheet.diffusion.training.presets import hyperparameters_for
from modelsheet.diffusion.training.report import learn_report, with_references
from modelsheet.diffusion.training.trainer import StepResult, Trainer
from modelsheet.diffusion.training.validation import Validator, validation_interval
from modelsheet.errors import InvalidRequest
from modelsheet.imaging.framing import fit
from modelsheet.imaging.likeness import DrawnReferences
from modelsheet.prompts.captions import PromptTemplate, caption_from_layer_name, class_prompts
from modelsheet.prompts.class_nouns import require_class_noun

_logger = logging.getLogger(__name__)
_UNMEASURED = (
    "Likeness was not measured, for no CLIP stands beside this base model. Get it with: "
    "modelsheet models download clip."
)


@dataclass(frozen=True)
class LearningEvent:
    """One training step and, after some steps, a validation with the images it generated."""

    step: StepResult
    validation: LikenessPoint | None = None
    images: Sequence[Image.Image] = ()


@dataclass(frozen=True)
class LearningEnvironment:
    """The installation's part of a learn job: identifiers in use, class nouns the user added, the
    cache folder of class images, and the base's CLIP, None where none is installed.
    """

    taken_identifiers: Collection[str]
    own_nouns: Sequence[str]
    cache_dir: Path
    clip: Clip | None


class LearningSession:
    """The learning of one subject, from its pictures to its adapter, on a loaded base model.

    A context manager: on every way out it leaves the base as it was, also where `prepare` failed
    half-way. Call `prepare` once, then iterate over `events`, then `finish`.
    """

    # Set by `prepare`.
    pictures: list[Image.Image]
    drawn: DrawnReferences | None
    naming: PromptTemplate
    warnings: list[str]
    adapter: TrainableAdapter
    trainer: Trainer

    def __init__(
        self,
        base: BaseModel,
        request: LearnRequest,
        images: Sequence[Image.Image],
        folder: Path,
        environment: LearningEnvironment,
    ) -> None:
        """Choose the hyper-parameters and captions. `images`: RGBA, as the user sent them;
        `folder`: for checkpoints and the naming, read again when the job resumes.

        Raises InvalidRequest.
        """
        self.base, self.folder = base, folder
        self.hyperparameters = hyperparameters_for(base.family, request.preset, request.overrides)
        self.captions = _captions(request)
        self.curve: list[LikenessPoint] = []
        self.best_step = 0
        self.best_state: dict[str, torch.Tensor] = {}
        self.seconds = 0.0  # of the job's runs until the newest checkpoint
        self._request, self.images, self._environment = request, images, environment
        has_decoder = self.hyperparameters.own_decoder and base.is_pixel_art
        self._correction: Correction | None = None if has_decoder else {}
        self._undo = ExitStack()

    def __enter__(self) -> LearningSession:
        self._undo.callback(self.base.pipeline.unload_lora_weights)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._undo.close()

    def prepare(self, on_progress: ProgressCallback | None = None) -> None:
        """Name the subject, encode its pictures, attach the adapter and resume from a checkpoint.

        Takes minutes where class images must be generated first: `on_progress` is called after
        every denoising step of those and may raise, and prepare() then goes on from their cache
        next time. Raises ModelsheetError.
        """
        base, seed = self.base, self._request.seed
        cropped = crop_references(self.images, base)
        self.pictures = [fit_picture(picture, base) for picture in cropped]
        self.drawn = drawn_references(cropped, base)
        self.naming = self._load_or_choose_naming()
        self.warnings = [*reduction_warnings(cropped, base), *warnings_for(self.pictures)]
        self.warnings += base.notes
        if not base.has_guidance:
            self.warnings.append(
                f"{base.id} is distilled, and others found that such models learn badly. Learn on "
                "the base that it was made of: this one paints with what is learnt there."
            )
        if self._environment.clip is None:
            self.warnings.append(_UNMEASURED)
        typed = " ".join(self._request.class_noun.split()).lower()
        if self.naming.class_noun != typed:
            self.warnings.append(
                f"“{typed}” was learnt as “{self.naming.class_noun}”, the nearest noun that "
                f"{base.id} knows."
            )
        prior = self._prior_examples(on_progress)
        flip = self.hyperparameters.flip
        instances = encode_instances(
            self.pictures, self.captions, self.naming, base, flip=flip, seed=seed
        )
        rows = self._attach_identifier_rows() if self.hyperparameters.pivotal else None
        self.adapter = TrainableAdapter(base, self.hyperparameters.shape, seed, rows)
        if self.hyperparameters.hypernetwork:
            side = base.training_resolution
            square = [fit(each, side, side, as_sprite=base.is_pixel_art) for each in self.pictures]
            self.adapter.begin_from(base.initial_adapter(square))
        self.trainer = Trainer(base, self.adapter, instances, prior, self.hyperparameters, seed)
        self._undo.callback(self.trainer.release)
        self._undo.enter_context(pack_convolutions(base.denoiser))
        self._resume()

    @cached_property
    def validator(self) -> Validator:
        """The validator, made on first use: that generates the class before learning, which takes
        seconds.
        """
        clip = self._environment.clip
        return Validator(self.base, self.adapter, self.naming, self.pictures, clip, self.drawn)

    @property
    def learnt_curve(self) -> list[LikenessPoint]:
        """The curve without step 0, which is the base's own."""
        return [point for point in self.curve if point.step]

    @property
    def correction(self) -> Correction:
        """The correction of the subject's decoder, learnt on first use."""
        if self._correction is None:
            with self.trainer.all_modules_on_device():
                seed = self._request.seed
                self._correction = learn_correction(self.base, self.pictures, seed)
        return self._correction

    @contextmanager
    def untrained_base(self) -> Iterator[BaseModel]:
        """Give the base as it is without this session, while learning rests."""
        with self.trainer.all_modules_on_device(), self.adapter.off():
            yield self.base

    def events(self) -> Iterator[LearningEvent]:
        """Train step by step and validate now and then, to the last step or until the score stops
        rising. Raises UnsafeModel, LearningDiverged.
        """
        if self._has_converged():
            return
        before = self.validator.before  # an unusable base is refused before it learns
        if before is not None and not self.curve:
            self.curve.append(before)
        every = validation_interval(self.hyperparameters, self.base.family)
        for result in self.trainer.steps():
            is_due = result.step % every == 0 or result.step == result.total
            yield self._validated_event(result) if is_due else LearningEvent(result)
            if is_due and self._has_converged():
                return

    def validate_last_step(self) -> None:
        """Validate the adapter as it is, unless that was done at this very step."""
        curve = self.learnt_curve
        if not curve or curve[-1].step != self.trainer.step:
            self._validate()

    def save_checkpoint(self) -> None:
        """Write a checkpoint from which a resumed job ends with the same bytes. Raises DiskFull."""
        tensors, position = self.trainer.snapshot()
        tensors |= {f"best.{name}": value for name, value in self.best_state.items()}
        tensors |= {f"decoder.{name}": each for name, each in (self._correction or {}).items()}
        position |= {"curve": [p.model_dump() for p in self.curve], "best_step": self.best_step}
        position["seconds"] = self.seconds
        write_checkpoint(self.folder, self.trainer.step, tensors, position)

    def finish(self, staging: Path) -> LearnReport:
        """Write the best adapter into `staging` and report on it; the last adapter where the
        preset has no `patience`. Raises DiskFull.
        """
        steps = self.trainer.step
        keeps_best = bool(self.best_state) and self.hyperparameters.patience is not None
        kept_step = self.best_step if keeps_best else steps
        report = learn_report(
            self.hyperparameters,
            hyperparameters_for(self.base.family, "balanced", TrainingOverrides()),
            self.naming,
            self.curve,
            kept_step=kept_step,
            steps=steps,
            adapter=self.adapter,
        )
        if kept_step != steps:
            self.adapter.load_state(self.best_state)
        if self.curve:
            with self.trainer.all_modules_on_device():
                points = self.validator.compare_references(kept_step)
            report = with_references(report, *points)
        with saving("The adapter"):
            self.adapter.save(staging, correction_tensors(self.correction))
        return report

    def _load_or_choose_naming(self) -> PromptTemplate:
        """Return the subject's naming; a resumed job keeps the one it began with."""
        file = self.folder / "naming.json"
        if file.is_file():
            return PromptTemplate(**json.loads(file.read_text("utf-8")))
        naming = self._choose_naming()
        with saving("The subject's naming"):
            self.folder.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(asdict(naming)), "utf-8")
        return naming

    def _choose_naming(self) -> PromptTemplate:
        """Check the request's class noun and identifier, or choose an identifier.

        Raises InvalidClassNoun, InvalidIdentifier.
        """
        request, environment = self._request, self._environment
        noun = require_class_noun(
            request.class_noun, self.base.id, self.base.family, environment.own_nouns
        )
        taken = environment.taken_identifiers
        if self.hyperparameters.fixed_identifier:
            word = self.hyperparameters.fixed_identifier
        elif request.identifier.strip():
            word = identifier.check(request.identifier, self.base, taken)
        else:
            word = identifier.choose(self.base, noun, taken)[0]
        return PromptTemplate(word, noun, self.base.family)

    def _prior_examples(self, on_progress: ProgressCallback | None) -> PriorExamples:
        prompts = list(class_prompts(self.naming))
        if self.hyperparameters.prior != "class-images":
            return PriorExamples(prompts)
        cache_dir = self._environment.cache_dir
        latents, prompts = class_latents(self.base, prompts, cache_dir, on_progress)
        return PriorExamples(prompts, latents)

    def _attach_identifier_rows(self) -> IdentifierEmbedding:
        naming = self.naming
        rows = IdentifierEmbedding.from_class_noun(self.base, naming.identifier, naming.class_noun)
        self._undo.callback(rows.remove)
        return rows

    def _validated_event(self, result: StepResult) -> LearningEvent:
        images = self._validate()
        return LearningEvent(result, self.curve[-1] if self.curve else None, images)

    def _validate(self) -> Sequence[Image.Image]:
        """Extend the curve by the adapter as it is, keep it if best; return the images."""
        step, correction = self.trainer.step, self.correction
        with self.trainer.all_modules_on_device():
            validator = self.validator
            with apply_correction(self.base, correction):
                result = validator.validate(step)
        if result.point is None:
            return result.images
        self.curve.append(result.point)
        if is_as_good(result.point.score, [point.score for point in self.learnt_curve]):
            self.best_step, self.best_state = step, self.adapter.state()
        return result.images

    def _has_converged(self) -> bool:
        """Tell if `patience` validations in a row had no better score."""
        patience = self.hyperparameters.patience
        if patience is None:
            return False
        scores = [point.score for point in self.learnt_curve]
        return bool(scores) and len(scores) - 1 - scores.index(max(scores)) >= patience

    def _resume(self) -> None:
        saved = newest_checkpoint(self.folder)
        if saved is None:
            return
        self.trainer.restore(saved)
        self.curve = [LikenessPoint(**point) for point in saved.position["curve"]]
        self.best_step = int(saved.position["best_step"])
        self.seconds = float(saved.position.get("seconds", 0.0))  # version 0.1 has none
        self.best_state = _tensors_below("best.", saved)
        self._correction = _tensors_below("decoder.", saved) or self._correction
        _logger.info("learning goes on from step %d", saved.step)


def _tensors_below(prefix: str, saved: TrainingCheckpoint) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in saved.tensors.items()
        if name.startswith(prefix)
    }


def _captions(request: LearnRequest) -> list[str]:
    """Return the user's captions, else those of the layers' names. Raises InvalidRequest."""
    if request.captions is None:
        return [caption_from_layer_name(image.name) for image in request.images]
    if len(request.captions) != len(request.images):
        raise InvalidRequest(
            f"There are {len(request.captions)} captions for {len(request.images)} pictures. "
            "Give one for each, an empty one where there is nothing to say, or none at all."
        )
    return [caption.strip() for caption in request.captions]
