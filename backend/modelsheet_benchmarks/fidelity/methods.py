"""Learning methods to compare in a benchmark: our presets, variants of one, and diffusers' own
script. Textual inversion has a module of its own.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import torch

from modelsheet.api.learn import LikenessPoint, PresetName, TrainingOverrides
from modelsheet.base_models.families import FAMILIES
from modelsheet.base_models.locate import locate_base_model
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.clip_encoders import Clip
from modelsheet.diffusion.models.decoder_correction import apply_correction
from modelsheet.diffusion.training.presets import hyperparameters_for
from modelsheet.imaging.framing import conditioning_pictures
from modelsheet.imaging.rgba import composite
from modelsheet.prompts.mentions import picture_numbers
from modelsheet_benchmarks import diffusers_script
from modelsheet_benchmarks.diffusers_script import ScriptSettings, ScriptTiming
from modelsheet_benchmarks.standalone_training import benchmark_request, standalone_session
from modelsheet_benchmarks.subjects import BenchmarkSubject

_WHITE = (255, 255, 255)
_SCRIPT_IDENTIFIER = "sks"  # its README's
# Ablations: *balanced* with one choice changed.
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
    "empty adapter": TrainingOverrides(hypernetwork=False),
}


@dataclass(frozen=True)
class CurvePoint:
    """The metrics of a validation, so many seconds after learning began."""

    seconds: float
    point: LikenessPoint


@dataclass(frozen=True)
class LearntSubject:
    """A subject that the base has learnt, or is shown: its phrase in prompts, the seconds of
    learning, its validation curve, and encoded references that condition its pictures.
    """

    phrase: str
    seconds: float
    curve: Sequence[CurvePoint] = ()
    references: tuple[torch.Tensor, ...] = ()


class Method(Protocol):
    """A way to learn a subject. The base knows it while the context of `learn` is open; learning
    ends after about `time_limit_s` seconds where that is given.
    """

    @property
    def name(self) -> str: ...

    def learn(
        self, base: BaseModel, subject: BenchmarkSubject, time_limit_s: float | None = None
    ) -> AbstractContextManager[LearntSubject]: ...


@dataclass(frozen=True)
class PresetMethod:
    """One of our presets, with overrides."""

    name: str
    clip: Clip
    preset: PresetName = "balanced"
    overrides: TrainingOverrides = field(default_factory=TrainingOverrides)

    @contextmanager
    def learn(
        self, base: BaseModel, subject: BenchmarkSubject, time_limit_s: float | None = None
    ) -> Iterator[LearntSubject]:
        request = benchmark_request(
            subject.class_noun,
            subject.references,
            preset=self.preset,
            overrides=self.overrides,
            captions=subject.captions,
        )
        began, curve = time.monotonic(), list[CurvePoint]()
        with (
            tempfile.TemporaryDirectory() as folder,
            standalone_session(
                base, request, subject.references, Path(folder), self.clip
            ) as session,
        ):
            for event in session.events():
                seconds = time.monotonic() - began
                if event.validation:
                    curve.append(CurvePoint(seconds, event.validation))
                if time_limit_s is not None and seconds >= time_limit_s:
                    break
            session.validate_last_step()
            if len(session.learnt_curve) > len(curve):
                curve.append(CurvePoint(time.monotonic() - began, session.learnt_curve[-1]))
            session.finish(Path(folder))
            naming = session.naming
            phrase = f"{naming.identifier} {naming.class_noun}"
            with apply_correction(base, session.correction):
                yield LearntSubject(phrase, time.monotonic() - began, curve)


@dataclass(frozen=True)
class ReferencesMethod:
    """The subject's own pictures as references: alone, or beside what `learnt` learns of it."""

    name: str
    learnt: Method | None = None

    @contextmanager
    def learn(
        self, base: BaseModel, subject: BenchmarkSubject, time_limit_s: float | None = None
    ) -> Iterator[LearntSubject]:
        began = time.monotonic()
        given = conditioning_pictures(subject.references, base.training_resolution)
        encoded = base.encode_references(given)
        is_numbered = FAMILIES[base.family].takes_references
        numbers = picture_numbers(1, len(given)) if is_numbered else ""
        if self.learnt is None:
            seconds = time.monotonic() - began
            phrase = f"{subject.class_noun}{numbers}"
            yield LearntSubject(phrase, seconds, references=encoded)
            return
        with self.learnt.learn(base, subject, time_limit_s) as learnt:
            yield replace(learnt, phrase=f"{learnt.phrase}{numbers}", references=encoded)


@dataclass
class ScriptMethod:
    """diffusers' script by its README: rank 4, 1e-4, 500 steps of one picture, UNet alone.

    With a time limit it takes as many steps as fit into that; its start, with imports and loading,
    is not counted.
    """

    path: Path
    data_dir: Path
    name: str = "diffusers script"
    steps: int = 500
    _timing: ScriptTiming | None = None

    @contextmanager
    def learn(
        self, base: BaseModel, subject: BenchmarkSubject, time_limit_s: float | None = None
    ) -> Iterator[LearntSubject]:
        phrase = f"{_SCRIPT_IDENTIFIER} {subject.class_noun}"
        settings = ScriptSettings(
            base=locate_base_model(base.id, self.data_dir).path,
            prompt=phrase,
            class_prompt=subject.class_noun,
            resolution=base.resolution,
            steps=self.steps,
            text_encoder=False,
        )
        pictures = [composite(reference, _WHITE) for reference in subject.references]
        start_s = 0.0
        if time_limit_s is not None:
            if self._timing is None:
                self._timing = diffusers_script.measure_timing(self.path, pictures, settings)
            start_s = self._timing.start_s
            settings = replace(settings, steps=self._timing.steps_in(time_limit_s))
        with tempfile.TemporaryDirectory() as folder:
            weights, cost = diffusers_script.run_script(self.path, pictures, settings, Path(folder))
            base.pipeline.load_lora_weights(weights.parent, weight_name=weights.name)
            try:
                yield LearntSubject(phrase, cost.seconds - start_s)
            finally:
                base.pipeline.unload_lora_weights()


def variants(names: Sequence[str], clip: Clip) -> list[Method]:
    return [PresetMethod(name, clip, overrides=VARIANTS[name]) for name in names]


def differing_variants(base: BaseModel) -> list[str]:
    """List the variants that differ from *balanced* on a base of this family."""
    balanced = hyperparameters_for(base.family, "balanced", TrainingOverrides())
    return [
        name
        for name, overrides in VARIANTS.items()
        if hyperparameters_for(base.family, "balanced", overrides) != balanced
    ]
