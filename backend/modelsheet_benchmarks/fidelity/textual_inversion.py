"""Textual inversion (Gal et al. 2022) as a baseline: only the identifier's embedding is trained, by
the same loop, pictures and validations as our presets.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from modelsheet.api.learn import TrainingOverrides
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.clip_encoders import Clip
from modelsheet.diffusion.models.identifier_embedding import IdentifierEmbedding
from modelsheet.diffusion.training import identifier
from modelsheet.diffusion.training.adapter import TrainableAdapter
from modelsheet.diffusion.training.batches import PriorExamples
from modelsheet.diffusion.training.dataset import encode_instances, prepare_pictures
from modelsheet.diffusion.training.presets import hyperparameters_for
from modelsheet.diffusion.training.trainer import Trainer
from modelsheet.diffusion.training.validation import Validator, validation_interval
from modelsheet.prompts.captions import PromptTemplate, class_prompts
from modelsheet_benchmarks.fidelity.methods import CurvePoint, LearntSubject
from modelsheet_benchmarks.subjects import BenchmarkSubject

STEPS = 3000  # diffusers' README of textual inversion; a time limit ends it sooner
RATE = 5e-3  # Gal et al. 2022


class EmbeddingAdapter(TrainableAdapter):
    """An adapter without LoRA: the identifier's rows and nothing else."""

    def __init__(self, base: BaseModel, rows: IdentifierEmbedding) -> None:
        self.base, self.rows = base, rows
        self.modules = {}

    @property
    def trains_text(self) -> bool:
        """True: the identifier's encoding changes, though the text encoders do not."""
        return True


@dataclass(frozen=True)
class TextualInversion:
    """Textual inversion with the pictures, masks, batches and validations of *balanced*, without a
    prior; keeps the step that *balanced* would keep.
    """

    clip: Clip
    name: str = "textual inversion"
    rate: float = RATE

    @contextmanager
    def learn(
        self, base: BaseModel, subject: BenchmarkSubject, time_limit_s: float | None = None
    ) -> Iterator[LearntSubject]:
        began = time.monotonic()
        word = identifier.choose(base, subject.class_noun, ())[0]
        naming = PromptTemplate(word, subject.class_noun, base.family)
        with ExitStack() as undo:
            rows = IdentifierEmbedding.from_class_noun(base, naming.identifier, naming.class_noun)
            undo.callback(rows.remove)
            inversion = self._prepared(base, subject, naming, rows, undo)
            deadline = math.inf if time_limit_s is None else began + time_limit_s
            curve = inversion.run(began, deadline)
            phrase = f"{naming.identifier} {naming.class_noun}"
            yield LearntSubject(phrase, time.monotonic() - began, curve)

    def _prepared(
        self,
        base: BaseModel,
        subject: BenchmarkSubject,
        naming: PromptTemplate,
        rows: IdentifierEmbedding,
        undo: ExitStack,
    ) -> InversionRun:
        hyperparameters = replace(
            hyperparameters_for(
                base.family, "balanced", TrainingOverrides(prior="none", pivotal=True)
            ),
            training_steps=STEPS,
            embedding_learning_rate=self.rate,
            caption_dropout=0.0,  # where no prompt names it, there is nothing to learn from
            final_rate=1.0,  # a constant rate, as its authors had
        )
        adapter = EmbeddingAdapter(base, rows)
        pictures = prepare_pictures(subject.references, base)
        instances = encode_instances(pictures, subject.captions, naming, base)
        prior = PriorExamples(list(class_prompts(naming)))
        trainer = Trainer(base, adapter, instances, prior, hyperparameters, seed=0)
        undo.callback(trainer.release)
        return InversionRun(trainer, Validator(base, adapter, naming, pictures, self.clip))


@dataclass(frozen=True)
class InversionRun:
    """The training of an embedding, with its validation."""

    trainer: Trainer
    validator: Validator

    def run(self, began: float, deadline: float) -> list[CurvePoint]:
        """Train to the last step or the deadline (monotonic seconds); load the best embedding."""
        hyperparameters, family = self.trainer.hyperparameters, self.trainer.base.family
        every, curve, best = validation_interval(hyperparameters, family), list[CurvePoint](), 0.0
        state = self.trainer.adapter.state()
        for result in self.trainer.steps():
            is_over = time.monotonic() >= deadline or result.step == result.total
            if result.step % every and not is_over:
                continue
            point = self.validator.validate(result.step).point
            if point is not None:
                if not curve or point.score > best:
                    best, state = point.score, self.trainer.adapter.state()
                curve.append(CurvePoint(time.monotonic() - began, point))
            if is_over:
                break
        self.trainer.adapter.load_state(state)
        return curve
