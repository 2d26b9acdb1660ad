"""`modelsheet bench speed`: compare training and generation with diffusers' own, as ratios.

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

from modelsheet.base_models.locate import DEFAULT_BASE_MODEL
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.sampling.plain_generation import SamplingSettings, sample_images
from modelsheet.settings import Settings
from modelsheet_benchmarks.console import print_line
from modelsheet_benchmarks.diffusers_pipeline import generate_with_diffusers, seconds_of
from modelsheet_benchmarks.diffusers_script import ProcessCost
from modelsheet_benchmarks.speed.ours_vs_diffusers import PairedBenchmark
from modelsheet_benchmarks.speed.random_stable_diffusion import random_sd15
from modelsheet_benchmarks.speed.time_to_likeness import seconds_to_likeness
from modelsheet_benchmarks.subjects import DEFAULT_SUBJECTS, SUBJECTS_HELP, read_subjects

WRITE_UP_STEPS = 4500
_RANDOM_SIDE = 256  # px: few steps of the true size fit into minutes on a CPU


@dataclass(frozen=True)
class SpeedRatios:
    """Ratios of theirs over ours; `our_…` and `their_…` are the seconds and bytes behind them.
    Steps and the time to likeness are in processor time. On random weights the time to likeness is
    None.
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
    parser.add_argument(
        "--subjects", type=Path, default=DEFAULT_SUBJECTS, help=f"{SUBJECTS_HELP}; one is learnt"
    )
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
    """Measure and print the ratios; return the exit code. Raises ModelsheetError."""
    with _benchmark(arguments) as bench:
        speed = measure(bench, steps=arguments.steps, rounds=arguments.rounds)
    for name, value in asdict(speed).items():
        shown = f"{value:.2f}" if isinstance(value, float) else value
        print_line(f"{name.replace('_', ' '):26}{shown!s:>14}")
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(speed), indent=2) + "\n", "utf-8")
    return 0


@contextmanager
def _benchmark(arguments: argparse.Namespace) -> Iterator[PairedBenchmark]:
    with tempfile.TemporaryDirectory() as folder:
        data_dir, base_id, subject = Path(folder), arguments.base, None
        if arguments.random_sd15:
            base_id = "sd15"
            _write_random_sd15(data_dir / "models" / base_id)
        else:
            data_dir = Settings.from_environment(os.environ).data_dir
            subject = read_subjects(arguments.subjects)[0]
        yield PairedBenchmark(
            script=arguments.script,
            base=load_base_model(base_id, data_dir, torch.device("cpu")),
            data_dir=data_dir,
            subject=subject,
            batch=arguments.batch,
            class_images=arguments.class_images,
            inference_steps=arguments.inference_steps,
        )


def _write_random_sd15(folder: Path) -> None:
    base = random_sd15(torch.device("cpu"), torch.float32, _RANDOM_SIDE)
    base.pipeline.save_pretrained(folder)


def measure(bench: PairedBenchmark, *, steps: int, rounds: int) -> SpeedRatios:
    """Measure all ratios, which takes minutes: a round has two whole jobs, four short ones, and two
    first images.
    """
    validated = bench.subject is not None
    ours, theirs = _interleaved(
        {
            "our whole job": lambda: bench.ours(steps, prior=True, validated=validated),
            "their whole job": lambda: bench.theirs(steps, prior=True),
        },
        rounds,
    )
    our_step, their_step = _step_seconds(bench, steps, rounds)
    our_first, their_first = _interleaved(
        {
            "our first picture": lambda: bench.first_image(use_diffusers=False),
            "their first picture": lambda: bench.first_image(use_diffusers=True),
        },
        rounds,
    )
    settled = seconds_to_likeness(bench.subject, bench.base) if bench.subject else None
    return SpeedRatios(
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


def _step_seconds(bench: PairedBenchmark, steps: int, rounds: int) -> tuple[float, float]:
    """Return our and their processor seconds a step, from a longer and a shorter training without
    validation.
    """
    few, many = max(1, steps // 6), max(2, steps)
    short_ours, short_theirs, long_ours, long_theirs = _interleaved(
        {
            f"our {few} steps": lambda: bench.ours(few, prior=False, validated=False),
            f"their {few} steps": lambda: bench.theirs(few, prior=False),
            f"our {many} steps": lambda: bench.ours(many, prior=False, validated=False),
            f"their {many} steps": lambda: bench.theirs(many, prior=False),
        },
        rounds,
    )
    more = many - few
    return (
        (long_ours.cpu_seconds - short_ours.cpu_seconds) / more,
        (long_theirs.cpu_seconds - short_theirs.cpu_seconds) / more,
    )


def generation_ratio(bench: PairedBenchmark, rounds: int = 6) -> float:
    """Return diffusers' time for one warm image over ours, medians of interleaved runs."""
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

    theirs = partial(generate_with_diffusers, base, prompt, steps)
    times: list[tuple[float, float]] = []
    for _ in range(rounds + 1):
        times.append((seconds_of(theirs), seconds_of(ours)))
    return median(b for b, _ in times[1:]) / median(o for _, o in times[1:])


def _interleaved(runs: Mapping[str, Callable[[], ProcessCost]], rounds: int) -> list[ProcessCost]:
    """Run each in turn, `rounds` times, and print its costs; return the medians, and the least
    processor time.
    """
    costs = [[_printed(name, run()) for name, run in runs.items()] for _ in range(rounds)]
    return [
        ProcessCost(
            median(cost.seconds for cost in each),
            int(median(cost.peak_bytes for cost in each)),
            min(cost.cpu_seconds for cost in each),
        )
        for each in zip(*costs, strict=True)
    ]


def _printed(name: str, cost: ProcessCost) -> ProcessCost:
    memory = cost.peak_bytes / 2**20
    print_line(
        f"{name}: {cost.seconds:.1f} s, {cost.cpu_seconds:.1f} of a processor, {memory:.0f} MiB"
    )
    return cost
