"""Who learns a subject in a benchmark: our presets, variants of one, an embedding alone, and
diffusers' own script.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from modelsheet.api.learn import LikenessPoint, PresetName, TrainingOverrides
from modelsheet.base_models.catalogue import locate_base_model
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.clip import Clip
from modelsheet.diffusion.models.decoder_correction import apply_correction
from modelsheet.diffusion.training.presets import hyperparameters_for
from modelsheet.imaging.rgba import composite
from modelsheet_benchmarks import diffusers_script
from modelsheet_benchmarks.diffusers_script import Pace, RivalSetting
from modelsheet_benchmarks.standalone_training import Wish, learning_of
from modelsheet_benchmarks.subjects import Doll

_WHITE = (255, 255, 255)
_SCRIPT_IDENTIFIER = "sks"  # its README's
# What one choice of *balanced* is worth: the same but for that one.
VARIANTS: Mapping[str, TrainingOverrides] = {
    "no prior": TrainingOverrides(prior="none"),
    "class images": TrainingOverrides(prior="class-images"),
    "no class images": TrainingOverrides(prior="no-images"),
    "text encoder": TrainingOverrides(text_encoder_rank=8),
    "unet only": TrainingOverrides(text_encoder_learning_rate=0.0),
    "masked": TrainingOverrides(masked=True),
    "unmasked": TrainingOverrides(masked=False),
    "plain decoder": TrainingOverrides(own_decoder=False),
    "pivotal": TrainingOverrides(pivotal=True),
}


@dataclass(frozen=True)
class Moment:
    """What a probe saw, so many seconds after learning began."""

    seconds: float
    point: LikenessPoint


@dataclass(frozen=True)
class Taught:
    """A base that knows a subject: what to call it, how long that took, how likeness rose."""

    phrase: str
    seconds: float
    curve: Sequence[Moment] = ()


class Contestant(Protocol):
    """Teaches a base a subject for as long as the context is open; learning ends after about
    `budget_s` seconds where that is given.
    """

    @property
    def name(self) -> str: ...

    def teach(
        self, base: BaseModel, doll: Doll, budget_s: float | None = None
    ) -> AbstractContextManager[Taught]: ...


@dataclass(frozen=True)
class Ours:
    """One of our presets, with some of its numbers changed."""

    name: str
    clip: Clip
    preset: PresetName = "balanced"
    overrides: TrainingOverrides = field(default_factory=TrainingOverrides)

    @contextmanager
    def teach(self, base: BaseModel, doll: Doll, budget_s: float | None = None) -> Iterator[Taught]:
        wish = Wish(
            class_noun=doll.class_noun,
            preset=self.preset,
            overrides=self.overrides,
            captions=doll.captions,
        )
        began, curve = time.monotonic(), list[Moment]()
        with (
            tempfile.TemporaryDirectory() as folder,
            learning_of(base, doll.references, wish, Path(folder), self.clip) as learning,
        ):
            for event in learning.events():
                seconds = time.monotonic() - began
                if event.probe:
                    curve.append(Moment(seconds, event.probe))
                if budget_s is not None and seconds >= budget_s:
                    break
            learning.look_once_more()
            if len(learning.learnt_curve) > len(curve):
                curve.append(Moment(time.monotonic() - began, learning.learnt_curve[-1]))
            learning.finish(Path(folder))
            naming = learning.naming
            phrase = f"{naming.identifier} {naming.class_noun}"
            with apply_correction(base, learning.correction):
                yield Taught(phrase, time.monotonic() - began, curve)


@dataclass
class Script:
    """diffusers' script by its README: rank 4, 1e-4, 500 steps of one picture, UNet alone.

    With a budget it gets as many steps as fit into that; its start, with imports and loading,
    is not counted against it.
    """

    path: Path
    data_dir: Path
    name: str = "diffusers script"
    steps: int = 500
    _pace: Pace | None = None

    @contextmanager
    def teach(self, base: BaseModel, doll: Doll, budget_s: float | None = None) -> Iterator[Taught]:
        phrase = f"{_SCRIPT_IDENTIFIER} {doll.class_noun}"
        setting = RivalSetting(
            base=locate_base_model(base.id, self.data_dir).path,
            prompt=phrase,
            class_prompt=doll.class_noun,
            resolution=base.resolution,
            steps=self.steps,
            text_encoder=False,
        )
        pictures = [composite(reference, _WHITE) for reference in doll.references]
        start_s = 0.0
        if budget_s is not None:
            if self._pace is None:
                self._pace = diffusers_script.pace(self.path, pictures, setting)
            start_s = self._pace.start_s
            setting = replace(setting, steps=self._pace.steps_in(budget_s))
        with tempfile.TemporaryDirectory() as folder:
            weights, cost = diffusers_script.learn(self.path, pictures, setting, Path(folder))
            base.pipeline.load_lora_weights(weights.parent, weight_name=weights.name)
            try:
                yield Taught(phrase, cost.seconds - start_s)
            finally:
                base.pipeline.unload_lora_weights()


def variants(names: Sequence[str], clip: Clip) -> list[Contestant]:
    return [Ours(name, clip, overrides=VARIANTS[name]) for name in names]


def differing_variants(base: BaseModel) -> list[str]:
    """The variants that are not what *balanced* is anyway on a base of this family."""
    usual = hyperparameters_for(base.family, "balanced", TrainingOverrides())
    return [
        name
        for name, overrides in VARIANTS.items()
        if hyperparameters_for(base.family, "balanced", overrides) != usual
    ]
