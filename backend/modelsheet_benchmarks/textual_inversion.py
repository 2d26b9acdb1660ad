"""Textual inversion (Gal et al. 2022) as something to compare with: the identifier's embedding is
all that learns, by the same loop, pictures and probes as our presets.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from modelsheet.api.learn import TrainingOverrides
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.clip import Clip
from modelsheet.diffusion.models.identifier_embedding import IdentifierRows
from modelsheet.diffusion.training import identifier
from modelsheet.diffusion.training.adapter import TrainableAdapter
from modelsheet.diffusion.training.batches import PriorExamples
from modelsheet.diffusion.training.dataset import encode_instances, prepare_pictures
from modelsheet.diffusion.training.presets import hyperparameters_for
from modelsheet.diffusion.training.trainer import Trainer
from modelsheet.diffusion.training.validation import Validator, validation_interval
from modelsheet.prompts.captions import Naming, class_prompts
from modelsheet_benchmarks.methods import Moment, Taught
from modelsheet_benchmarks.subjects import Doll

STEPS = 3000  # diffusers' README of textual inversion; a budget ends it sooner
RATE = 5e-3  # Gal et al. 2022


class EmbeddingAlone(TrainableAdapter):
    """An adapter without LoRA: the identifier's rows and nothing else."""

    def __init__(self, base: BaseModel, rows: IdentifierRows) -> None:
        self.base, self.rows = base, rows
        self.modules = {}

    @property
    def trains_text(self) -> bool:
        """What the text encoders say of the identifier changes, though they do not."""
        return True


@dataclass(frozen=True)
class TextualInversion:
    """Learns with the pictures, masks, batches and probes of *balanced*, without a prior, and keeps
    the step that *balanced* would keep.
    """

    clip: Clip
    name: str = "textual inversion"
    rate: float = RATE

    @contextmanager
    def teach(self, base: BaseModel, doll: Doll, budget_s: float | None = None) -> Iterator[Taught]:
        began = time.monotonic()
        word = identifier.choose(base, doll.class_noun, ())[0]
        naming = Naming(word, doll.class_noun, base.family)
        with ExitStack() as undo:
            rows = IdentifierRows.beginning(base, naming.identifier, naming.class_noun)
            undo.callback(rows.remove)
            search = self._search(base, doll, naming, rows, undo)
            curve = search.go_on(began, math.inf if budget_s is None else began + budget_s)
            phrase = f"{naming.identifier} {naming.class_noun}"
            yield Taught(phrase, time.monotonic() - began, curve)

    def _search(
        self, base: BaseModel, doll: Doll, naming: Naming, rows: IdentifierRows, undo: ExitStack
    ) -> Search:
        recipe = replace(
            hyperparameters_for(
                base.family, "balanced", TrainingOverrides(prior="none", pivotal=True)
            ),
            training_steps=STEPS,
            embedding_learning_rate=self.rate,
            caption_dropout=0.0,  # where no prompt names it, there is nothing to learn from
            final_rate=1.0,  # a constant rate, as its authors had
        )
        adapter = EmbeddingAlone(base, rows)
        pictures = prepare_pictures(doll.references, base)
        instances = encode_instances(pictures, doll.captions, naming, base)
        prior = PriorExamples(list(class_prompts(naming)))
        training = Trainer(base, adapter, instances, prior, recipe, seed=0)
        undo.callback(training.release)
        return Search(training, Validator(base, adapter, naming, pictures, self.clip))


@dataclass(frozen=True)
class Search:
    """An embedding being learnt, and what looks at it now and then."""

    training: Trainer
    prober: Validator

    def go_on(self, began: float, deadline: float) -> list[Moment]:
        """Learn to the last step or the deadline (monotonic seconds); load the best embedding."""
        recipe, base = self.training.recipe, self.training.base
        every, curve, best = validation_interval(recipe, base.family), list[Moment](), 0.0
        state = self.training.adapter.state()
        for report in self.training.steps():
            is_over = time.monotonic() >= deadline or report.step == report.total
            if report.step % every and not is_over:
                continue
            point = self.prober.look(report.step).point
            if point is not None:
                if not curve or point.score > best:
                    best, state = point.score, self.training.adapter.state()
                curve.append(Moment(time.monotonic() - began, point))
            if is_over:
                break
        self.training.adapter.load_state(state)
        return curve
