"""`modelsheet bench speed`: our learning and painting beside diffusers' own, as ratios of one run.

Every ratio is theirs over ours: above 1 is better for us. Runs are interleaved, each in a process
of its own, so that another load on the machine meets both.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

import torch

from modelsheet.base_models.catalogue import DEFAULT_BASE_MODEL
from modelsheet.diffusion.models.base_model import load_base_model
from modelsheet.diffusion.sampling.plain_generation import SamplingSettings, sample_images
from modelsheet.settings import Settings
from modelsheet_benchmarks.diffusers_pipeline import paint_barely, seconds_of
from modelsheet_benchmarks.diffusers_script import Cost
from modelsheet_benchmarks.ours_vs_diffusers import Bench
from modelsheet_benchmarks.sd15_step import random_sd15
from modelsheet_benchmarks.subjects import DOLLS, DOLLS_HELP, read_dolls
from modelsheet_benchmarks.time_to_likeness import seconds_to_likeness

WRITE_UP_STEPS = 4500
_RANDOM_SIDE = 256  # px: few steps of the true size fit into minutes on a CPU


@dataclass(frozen=True)
class Speed:
    """Theirs over ours; `our_…` and `their_…` are the seconds and bytes behind them. Steps, and the
    way to likeness, are in processor time. What says nothing on random weights is None.
    """

    whole_job_ratio: float
    step_ratio: float
    memory_ratio: float
    time_to_likeness_ratio: float | None
    generation_ratio: float
    cold_generation_ratio: float
    our_job_s: float
    their_job_s: float
    our_step_s: float
    their_step_s: float
    our_peak_bytes: int
    their_peak_bytes: int
    seconds_to_likeness: float | None
    batch: int
    precision: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--script", type=Path, required=True, help="diffusers' train_dreambooth_lora.py"
    )
    parser.add_argument("--subjects", type=Path, default=DOLLS, help=f"{DOLLS_HELP}; one is learnt")
    parser.add_argument("--base", default=DEFAULT_BASE_MODEL, help="(%(default)s)")
    parser.add_argument(
        "--random-sd15",
        action="store_true",
        help="on a Stable Diffusion of its true size with random weights instead, at 256 px",
    )
    parser.add_argument("--steps", type=int, default=120, help="of the whole job (%(default)s)")
    parser.add_argument("--batch", type=int, default=1, help="pictures a step (%(default)s)")
    parser.add_argument("--class-images", type=int, default=100, help="theirs (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="of which the median counts")
    parser.add_argument(
        "--inference-steps", type=int, default=25, help="of a painted picture (%(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Raises ModelsheetError."""
    with _opened(arguments) as bench:
        speed = measure(bench, steps=arguments.steps, rounds=arguments.rounds)
    for name, value in asdict(speed).items():
        shown = f"{value:.2f}" if isinstance(value, float) else value
        _say(f"{name.replace('_', ' '):26}{shown!s:>14}")
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(speed), indent=2) + "\n", "utf-8")
    return 0


@contextmanager
def _opened(arguments: argparse.Namespace) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as folder:
        data_dir, base_id, doll = Path(folder), arguments.base, None
        if arguments.random_sd15:
            base_id = "sd15"
            _write_random_sd15(data_dir / "models" / base_id)
        else:
            data_dir = Settings.from_environment(os.environ).data_dir
            doll = read_dolls(arguments.subjects)[0]
        yield Bench(
            script=arguments.script,
            base=load_base_model(base_id, data_dir, torch.device("cpu")),
            data_dir=data_dir,
            doll=doll,
            batch=arguments.batch,
            class_images=arguments.class_images,
            inference_steps=arguments.inference_steps,
        )


def _write_random_sd15(folder: Path) -> None:
    base = random_sd15(torch.device("cpu"), torch.float32, _RANDOM_SIDE)
    base.pipeline.save_pretrained(folder)


def measure(bench: Bench, *, steps: int, rounds: int) -> Speed:
    """Some minutes: a round has two whole jobs, four short ones, and two first pictures."""
    probed = bench.doll is not None
    ours, theirs = _interleaved(
        {
            "our whole job": lambda: bench.ours(steps, prior=True, probed=probed),
            "their whole job": lambda: bench.theirs(steps, prior=True),
        },
        rounds,
    )
    our_step, their_step = _step_seconds(bench, steps, rounds)
    our_first, their_first = _interleaved(
        {
            "our first picture": lambda: bench.first_picture(bare=False),
            "their first picture": lambda: bench.first_picture(bare=True),
        },
        rounds,
    )
    settled = seconds_to_likeness(bench.doll, bench.base) if bench.doll else None
    return Speed(
        whole_job_ratio=theirs.seconds / ours.seconds,
        step_ratio=their_step / our_step,
        memory_ratio=theirs.peak_bytes / ours.peak_bytes,
        time_to_likeness_ratio=WRITE_UP_STEPS * their_step / settled if settled else None,
        generation_ratio=generation_ratio(bench),
        cold_generation_ratio=their_first.seconds / our_first.seconds,
        our_job_s=ours.seconds,
        their_job_s=theirs.seconds,
        our_step_s=our_step,
        their_step_s=their_step,
        our_peak_bytes=ours.peak_bytes,
        their_peak_bytes=theirs.peak_bytes,
        seconds_to_likeness=settled,
        batch=bench.batch,
        precision=bench.precision,
    )


def _step_seconds(bench: Bench, steps: int, rounds: int) -> tuple[float, float]:
    """Ours and theirs: what a longer learning takes more than a shorter one, a step. Neither
    paints on the way.
    """
    few, many = max(1, steps // 6), max(2, steps)
    short_ours, short_theirs, long_ours, long_theirs = _interleaved(
        {
            f"our {few} steps": lambda: bench.ours(few, prior=False, probed=False),
            f"their {few} steps": lambda: bench.theirs(few, prior=False),
            f"our {many} steps": lambda: bench.ours(many, prior=False, probed=False),
            f"their {many} steps": lambda: bench.theirs(many, prior=False),
        },
        rounds,
    )
    more = many - few
    return (
        (long_ours.cpu_seconds - short_ours.cpu_seconds) / more,
        (long_theirs.cpu_seconds - short_theirs.cpu_seconds) / more,
    )


def generation_ratio(bench: Bench, rounds: int = 6) -> float:
    """The bare pipeline's time for one warm picture over ours, medians of interleaved runs."""
    base, prompt, side = bench.base, bench.class_noun, bench.base.resolution
    steps, guidance = bench.inference_steps, base.guidance_scale
    base.pipeline.set_progress_bar_config(disable=True)

    def ours() -> None:
        sample_images(
            base,
            SamplingSettings(
                [prompt], [0], side, side, inference_steps=steps, guidance_scale=guidance
            ),
        )

    bare = partial(paint_barely, base, prompt, steps)
    times: list[tuple[float, float]] = []
    for _ in range(rounds + 1):
        times.append((seconds_of(bare), seconds_of(ours)))
    return median(b for b, _ in times[1:]) / median(o for _, o in times[1:])


def _interleaved(acts: Mapping[str, Callable[[], Cost]], rounds: int) -> list[Cost]:
    """Run each in turn, `rounds` times, and say what it took; give the medians, and the least
    processor time.
    """
    costs = [[_told(name, act()) for name, act in acts.items()] for _ in range(rounds)]
    return [
        Cost(
            median(cost.seconds for cost in each),
            int(median(cost.peak_bytes for cost in each)),
            min(cost.cpu_seconds for cost in each),
        )
        for each in zip(*costs, strict=True)
    ]


def _told(name: str, cost: Cost) -> Cost:
    memory = cost.peak_bytes / 2**20
    _say(f"{name}: {cost.seconds:.1f} s, {cost.cpu_seconds:.1f} of a processor, {memory:.0f} MiB")
    return cost


def _say(words: str) -> None:
    print(words, flush=True)  # noqa: T201 -- a program, asked for its figures
