"""`modelsheet bench speed`: our learning and painting beside diffusers' own, as ratios of one run.

Every ratio is theirs over ours: above 1 is better for us. Runs are interleaved, each in a process
of its own, so that another load on the machine meets both.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch

from modelsheet.catalogue import DEFAULT_BASE_MODEL, locate
from modelsheet.contract import TrainingOverrides
from modelsheet.diffusion import alone, rival
from modelsheet.diffusion.base_model import BaseModel, load_base_model
from modelsheet.diffusion.doll import DOLLS, DOLLS_HELP, Doll, read_dolls
from modelsheet.diffusion.generation import Painting, paint
from modelsheet.diffusion.rival import Cost, RivalSetting
from modelsheet.images import composite
from modelsheet.settings import Settings

WRITE_UP_STEPS = 4500
_RANK = 4
_RATE = 1e-4
_SETTLED = 0.95  # of the final subject fidelity
_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Speed:
    """Theirs over ours; `our_…` and `their_…` are the seconds behind them."""

    whole_job_ratio: float
    step_ratio: float
    memory_ratio: float
    time_to_likeness_ratio: float
    generation_ratio: float
    our_job_s: float
    their_job_s: float
    our_step_s: float
    their_step_s: float
    seconds_to_likeness: float


@dataclass(frozen=True)
class Bench:
    """One subject on one base, with the same settings for both."""

    script: Path
    doll: Doll
    base_id: str
    data_dir: Path
    resolution: int
    batch: int
    class_images: int

    def ours(self, steps: int, *, prior: bool) -> Cost:
        overrides = TrainingOverrides(
            training_steps=steps,
            batch=self.batch,
            rank=_RANK,
            text_encoder_rank=_RANK,
            unet_learning_rate=_RATE,
            text_encoder_learning_rate=_RATE,
            feed_forward=False,
            convolutions=False,
            prior="no-images" if prior else "none",
        )
        wish = alone.Wish(class_noun=self.doll.class_noun, overrides=overrides)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            for index, picture in enumerate(self.doll.references):
                picture.save(place / f"{index:02}.png")
            errand = alone.Errand(
                base_model=self.base_id,
                data_dir=self.data_dir,
                pictures=place,
                out=place / "out",
                wish=wish,
            )
            (place / "out").mkdir()
            file = place / "errand.json"
            file.write_text(errand.model_dump_json(), "utf-8")
            module = "modelsheet.diffusion.alone"
            return rival.timed([sys.executable, "-m", module, str(file)])

    def theirs(self, steps: int, *, prior: bool) -> Cost:
        setting = RivalSetting(
            base=locate(self.base_id, self.data_dir).path,
            prompt=f"ktn {self.doll.class_noun}",
            class_prompt=self.doll.class_noun,
            resolution=self.resolution,
            steps=steps,
            learning_rate=_RATE,
            batch=self.batch,
            rank=_RANK,
            class_images=self.class_images if prior else 0,
        )
        pictures = [composite(reference, _WHITE) for reference in self.doll.references]
        with tempfile.TemporaryDirectory() as folder:
            return rival.learn(self.script, pictures, setting, Path(folder))[1]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--script", type=Path, required=True, help="diffusers' train_dreambooth_lora.py"
    )
    parser.add_argument("--subjects", type=Path, default=DOLLS, help=f"{DOLLS_HELP}; one is learnt")
    parser.add_argument("--base", default=DEFAULT_BASE_MODEL, help="(%(default)s)")
    parser.add_argument("--steps", type=int, default=120, help="of the whole job (%(default)s)")
    parser.add_argument("--batch", type=int, default=1, help="pictures a step (%(default)s)")
    parser.add_argument("--class-images", type=int, default=100, help="theirs (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="of which the median counts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Raises ModelsheetError."""
    settings = Settings.from_environment(os.environ)
    doll = read_dolls(arguments.subjects)[0]
    base = load_base_model(arguments.base, settings.data_dir, torch.device("cpu"))
    bench = Bench(
        script=arguments.script,
        doll=doll,
        base_id=arguments.base,
        data_dir=settings.data_dir,
        resolution=base.resolution,
        batch=arguments.batch,
        class_images=arguments.class_images,
    )
    speed = measure(bench, base, steps=arguments.steps, rounds=arguments.rounds)
    for name, value in asdict(speed).items():
        print(f"{name.replace('_', ' '):26}{value:10.2f}")  # noqa: T201 -- asked for its figures
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(speed), indent=2) + "\n", "utf-8")
    return 0


def measure(bench: Bench, base: BaseModel, *, steps: int, rounds: int) -> Speed:
    """Some minutes: two whole jobs, four short ones, a learning and twelve pictures a round."""
    ours, theirs = _interleaved(
        [lambda: bench.ours(steps, prior=True), lambda: bench.theirs(steps, prior=True)], rounds
    )
    few, many = max(1, steps // 6), max(2, steps // 2)
    short_ours, long_ours, short_theirs, long_theirs = _interleaved(
        [
            lambda: bench.ours(few, prior=False),
            lambda: bench.ours(many, prior=False),
            lambda: bench.theirs(few, prior=False),
            lambda: bench.theirs(many, prior=False),
        ],
        rounds,
    )
    our_step = (long_ours.seconds - short_ours.seconds) / (many - few)
    their_step = (long_theirs.seconds - short_theirs.seconds) / (many - few)
    settled = seconds_to_likeness(bench.doll, base)
    return Speed(
        whole_job_ratio=theirs.seconds / ours.seconds,
        step_ratio=their_step / our_step,
        memory_ratio=theirs.peak_bytes / ours.peak_bytes,
        time_to_likeness_ratio=WRITE_UP_STEPS * their_step / settled,
        generation_ratio=generation_ratio(base, bench.doll.class_noun),
        our_job_s=ours.seconds,
        their_job_s=theirs.seconds,
        our_step_s=our_step,
        their_step_s=their_step,
        seconds_to_likeness=settled,
    )


def seconds_to_likeness(doll: Doll, base: BaseModel) -> float:
    """Until a probe of *balanced* shows 95 % of the final subject fidelity; probes included."""
    wish = alone.Wish(class_noun=doll.class_noun, captions=doll.captions)
    seen: list[tuple[float, float]] = []
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        alone.learning_of(base, doll.references, wish, Path(folder)) as learning,
    ):
        for event in learning.events():
            if event.probe is not None:
                seen.append((time.monotonic() - began, event.probe.subject_fidelity))
    final = seen[-1][1]
    return next(seconds for seconds, fidelity in seen if fidelity >= _SETTLED * final)


def generation_ratio(base: BaseModel, class_noun: str, rounds: int = 6) -> float:
    """The bare pipeline's time for one warm picture over ours, medians of interleaved runs."""
    side, steps = base.resolution, 25
    pipeline = base.pipeline
    pipeline.set_progress_bar_config(disable=True)

    def bare() -> None:
        pipeline(
            class_noun,
            num_inference_steps=steps,
            guidance_scale=base.guidance_scale,
            width=side,
            height=side,
            generator=torch.Generator().manual_seed(0),
        )

    def ours() -> None:
        painting = Painting(
            [class_noun],
            [0],
            side,
            side,
            inference_steps=steps,
            guidance_scale=base.guidance_scale,
        )
        paint(base, painting)

    times: list[tuple[float, float]] = []
    for _ in range(rounds + 1):
        times.append((seconds_of(bare), seconds_of(ours)))
    return median(b for b, _ in times[1:]) / median(o for _, o in times[1:])


def seconds_of(act: Callable[[], object]) -> float:
    """Do it, and say how long it took."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _interleaved(acts: Sequence[Callable[[], Cost]], rounds: int) -> list[Cost]:
    """Run each in turn, `rounds` times; give the medians."""
    costs = [[act() for act in acts] for _ in range(rounds)]
    return [
        Cost(median(c.seconds for c in each), int(median(c.peak_bytes for c in each)))
        for each in zip(*costs, strict=True)
    ]
