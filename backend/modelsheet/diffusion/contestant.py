"""Who learns a subject in a benchmark: our presets, variants of one, and diffusers' own script."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from modelsheet.catalogue import locate
from modelsheet.contract import LikenessPoint, Preset, TrainingOverrides
from modelsheet.diffusion import rival
from modelsheet.diffusion.alone import Wish, learning_of
from modelsheet.diffusion.base_model import BaseModel
from modelsheet.diffusion.doll import Doll
from modelsheet.diffusion.rival import RivalSetting
from modelsheet.images import composite

_WHITE = (255, 255, 255)
_SCRIPT_IDENTIFIER = "sks"  # its README's
# What one choice of *balanced* is worth: the same but for that one.
VARIANTS: Mapping[str, TrainingOverrides] = {
    "no prior": TrainingOverrides(prior="none"),
    "class images": TrainingOverrides(prior="class-images"),
    "unet only": TrainingOverrides(text_encoder_learning_rate=0.0),
    "unmasked": TrainingOverrides(masked=False),
    "pivotal": TrainingOverrides(pivotal=True),
}


@dataclass(frozen=True)
class Taught:
    """A base that knows a subject: what to call it, how long that took, how likeness rose."""

    phrase: str
    seconds: float
    curve: Sequence[LikenessPoint] = ()


class Contestant(Protocol):
    """Teaches a base a subject for as long as the context is open."""

    @property
    def name(self) -> str: ...

    def teach(self, base: BaseModel, doll: Doll) -> AbstractContextManager[Taught]: ...


@dataclass(frozen=True)
class Ours:
    """One of our presets, with some of its numbers changed."""

    name: str
    preset: Preset = "balanced"
    overrides: TrainingOverrides = field(default_factory=TrainingOverrides)

    @contextmanager
    def teach(self, base: BaseModel, doll: Doll) -> Iterator[Taught]:
        wish = Wish(
            class_noun=doll.class_noun,
            preset=self.preset,
            overrides=self.overrides,
            captions=doll.captions,
        )
        began = time.monotonic()
        with (
            tempfile.TemporaryDirectory() as folder,
            learning_of(base, doll.references, wish, Path(folder)) as learning,
        ):
            for _ in learning.events():
                pass
            learning.finish(Path(folder))
            naming = learning.naming
            phrase = f"{naming.identifier} {naming.class_noun}"
            yield Taught(phrase, time.monotonic() - began, list(learning.curve))


@dataclass(frozen=True)
class Script:
    """diffusers' script by its README: rank 4, 1e-4, 500 steps of one picture, UNet alone."""

    path: Path
    data_dir: Path
    name: str = "diffusers script"
    steps: int = 500

    @contextmanager
    def teach(self, base: BaseModel, doll: Doll) -> Iterator[Taught]:
        phrase = f"{_SCRIPT_IDENTIFIER} {doll.class_noun}"
        setting = RivalSetting(
            base=locate(base.id, self.data_dir).path,
            prompt=phrase,
            class_prompt=doll.class_noun,
            resolution=base.resolution,
            steps=self.steps,
            text_encoder=False,
        )
        pictures = [composite(reference, _WHITE) for reference in doll.references]
        with tempfile.TemporaryDirectory() as folder:
            weights, cost = rival.learn(self.path, pictures, setting, Path(folder))
            base.pipeline.load_lora_weights(weights.parent, weight_name=weights.name)
            try:
                yield Taught(phrase, cost.seconds)
            finally:
                base.pipeline.unload_lora_weights()


def variants(names: Sequence[str]) -> list[Contestant]:
    return [Ours(name, overrides=VARIANTS[name]) for name in names]
