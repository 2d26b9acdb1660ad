"""`modelsheet bench likeness`: learn subjects whose right answer is known, and count right answers.

Per subject and prompt the painted picture is compared with true pictures, its own among them: those
of the same subject for the other prompts (is the asked thing right?), those of the other subjects
for the same prompt (is the subject right?), and all of them together.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev

import torch
from PIL import Image

from modelsheet.catalogue import DEFAULT_BASE_MODEL
from modelsheet.contract import LikenessPoint, TrainingOverrides
from modelsheet.diffusion.base_model import BaseModel, load_base_model
from modelsheet.diffusion.captions import Naming
from modelsheet.diffusion.clip import clip_of
from modelsheet.diffusion.contestant import VARIANTS, Contestant, Ours, Script, variants
from modelsheet.diffusion.dataset import image_tensor
from modelsheet.diffusion.doll import DOLLS, DOLLS_HELP, Doll, judge, read_dolls
from modelsheet.diffusion.generation import Painting, paint
from modelsheet.diffusion.likeness import drift, prompt_fidelity, subject_fidelity
from modelsheet.images import composite
from modelsheet.settings import Settings
from modelsheet.sheets import Cell, Section, draw_sheet

_WHITE = (255, 255, 255)
_BATCH = 6


@dataclass(frozen=True)
class Row:
    """One recipe over all subjects; shares are of what real pictures or the untuned base reach.

    `both_right_error` is half of its 95 % confidence interval over the subjects.
    """

    recipe: str
    subject_fidelity: float
    subject_fidelity_share: float
    prompt_fidelity_share: float
    prior_drift: float
    truth_distance: float
    subject_right: float
    prompt_right: float
    both_right: float
    seconds: float
    both_right_error: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--subjects", type=Path, default=DOLLS, help=DOLLS_HELP)
    parser.add_argument("--preset", nargs="*", default=["balanced"], help="(balanced)")
    parser.add_argument(
        "--variant", nargs="+", default=[], choices=tuple(VARIANTS), help="of balanced"
    )
    parser.add_argument("--script", type=Path, help="diffusers' train_dreambooth_lora.py")
    parser.add_argument("--prior", choices=("no-images", "class-images", "none"))
    parser.add_argument("--steps", type=int, help="instead of the preset's")
    parser.add_argument("--rate", type=float, help="the UNet's learning rate")
    parser.add_argument("--text-rate", type=float, help="the text encoder's learning rate")
    parser.add_argument("--seeds", type=int, default=2, help="pictures a prompt (%(default)s)")
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="subjects by number")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="write the pictures there")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Raises ModelsheetError."""
    settings = Settings.from_environment(os.environ)
    dolls = read_dolls(arguments.subjects)
    base = load_base_model(DEFAULT_BASE_MODEL, settings.data_dir, torch.device("cpu"))
    chosen = [dolls[n] for n in arguments.only] if arguments.only else dolls
    rows = []
    for contestant in _contestants(arguments, settings.data_dir):
        measured = []
        for doll in chosen:
            measured.append(_measure(doll, dolls, base, contestant, arguments.seeds))
            print(_line(doll, measured[-1]), flush=True)  # noqa: T201 -- asked for its figures
        rows.append(_row(contestant.name, measured))
        print(_table(rows), flush=True)  # noqa: T201 -- a program, asked for its figures
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=2), "utf-8")
    if arguments.sheet:
        _sheet(chosen, measured).save(arguments.sheet)
    return 0


def _contestants(arguments: argparse.Namespace, data_dir: Path) -> list[Contestant]:
    overrides = TrainingOverrides(
        training_steps=arguments.steps,
        unet_learning_rate=arguments.rate,
        text_encoder_learning_rate=arguments.text_rate,
        prior=arguments.prior,
    )
    chosen: list[Contestant] = [Ours(each, each, overrides) for each in arguments.preset]
    chosen += variants(arguments.variant)
    return chosen + ([Script(arguments.script, data_dir)] if arguments.script else [])


@dataclass(frozen=True)
class Measured:
    """One subject under one recipe: raw means, and the painted pictures by prompt."""

    subject_fidelity: float
    real_fidelity: float
    base_fidelity: float
    prompt_fidelity: float
    base_prompt_fidelity: float
    prior_drift: float
    truth_distance: float
    subject_right: float
    prompt_right: float
    both_right: float
    seconds: float
    curve: Sequence[LikenessPoint]
    painted: Mapping[str, Image.Image]


def _measure(
    doll: Doll, dolls: Sequence[Doll], base: BaseModel, contestant: Contestant, seeds: int
) -> Measured:
    class_noun = Naming("", doll.class_noun, base.family).class_noun
    suffixes = [suffix for suffix in doll.truths for _ in range(seeds)]
    class_prompts = [_prompt(class_noun, suffix) for suffix in suffixes]
    untuned = _paint(base, class_prompts)
    with contestant.teach(base, doll) as taught:
        painted = _paint(base, [_prompt(taught.phrase, suffix) for suffix in suffixes])
        tuned_class = _paint(base, class_prompts)
    clip = clip_of(base)
    references = clip.embed_images(_tensor([composite(r, _WHITE) for r in doll.references]))
    truths = [composite(each[0], _WHITE) for each in doll.truths.values()]
    texts = clip.embed_texts(class_prompts)
    vectors, bare = clip.embed_images(_tensor(painted)), clip.embed_images(_tensor(untuned))
    right = [judge(p, s, doll, dolls) for p, s in zip(painted, suffixes, strict=True)]
    return Measured(
        subject_fidelity=subject_fidelity(vectors, references),
        real_fidelity=subject_fidelity(clip.embed_images(_tensor(truths)), references),
        base_fidelity=subject_fidelity(bare, references),
        prompt_fidelity=prompt_fidelity(vectors, texts),
        base_prompt_fidelity=prompt_fidelity(bare, texts),
        prior_drift=drift(_tensor(untuned), _tensor(tuned_class)),
        truth_distance=mean(each.distance for each in right),
        subject_right=mean(each.subject_right for each in right),
        prompt_right=mean(each.prompt_right for each in right),
        both_right=mean(each.both_right for each in right),
        seconds=taught.seconds,
        curve=taught.curve,
        painted=dict(zip(suffixes, painted, strict=True)),
    )


def _prompt(name: str, suffix: str) -> str:
    return f"{name}, {suffix}" + ("" if suffix.startswith("on ") else ", on a white background")


def _paint(base: BaseModel, prompts: Sequence[str]) -> list[Image.Image]:
    side, painted = base.resolution, list[Image.Image]()
    for start in range(0, len(prompts), _BATCH):
        batch = list(prompts[start : start + _BATCH])
        seeds = list(range(start, start + len(batch)))
        painted += paint(
            base, Painting(batch, seeds, side, side, guidance_scale=base.guidance_scale)
        )
    return painted


def _tensor(pictures: Sequence[Image.Image]) -> torch.Tensor:
    return torch.stack([image_tensor(picture) for picture in pictures])


def _row(recipe: str, measured: Sequence[Measured]) -> Row:
    def average(name: str) -> float:
        return mean(float(getattr(each, name)) for each in measured)

    spread = average("real_fidelity") - average("base_fidelity")
    gained = average("subject_fidelity") - average("base_fidelity")
    return Row(
        recipe=recipe,
        subject_fidelity=average("subject_fidelity"),
        subject_fidelity_share=gained / spread if spread else 0.0,
        prompt_fidelity_share=average("prompt_fidelity") / average("base_prompt_fidelity"),
        prior_drift=average("prior_drift"),
        truth_distance=average("truth_distance"),
        subject_right=average("subject_right"),
        prompt_right=average("prompt_right"),
        both_right=average("both_right"),
        seconds=average("seconds"),
        both_right_error=_error([each.both_right for each in measured]),
    )


def _error(values: Sequence[float]) -> float:
    """Half of the 95 % confidence interval of the mean over subjects; 0 for a single one."""
    if len(values) < 2:
        return 0.0
    return 1.96 * stdev(values) / math.sqrt(len(values))


def _line(doll: Doll, measured: Measured) -> str:
    """One subject before and after learning, and its probe curve."""
    curve = " ".join(f"{point.subject_fidelity:.2f}" for point in measured.curve)
    return (
        f"{doll.name:28} subject {measured.base_fidelity:.2f} → {measured.subject_fidelity:.2f} "
        f"(real {measured.real_fidelity:.2f}), "
        f"prompt {measured.base_prompt_fidelity:.2f} → {measured.prompt_fidelity:.2f}, "
        f"drift {measured.prior_drift:.3f}, {measured.seconds:.0f} s, curve {curve}"
    )


def _table(rows: Sequence[Row]) -> str:
    names = [name for name in asdict(rows[0]) if name != "recipe"]
    heads = [name.replace("fidelity", "fid").replace("_", " ") for name in names]
    lines = ["recipe".ljust(12) + "".join(head.rjust(19) for head in heads)]
    for row in rows:
        cells = "".join(f"{getattr(row, name):19.3f}" for name in names)
        lines.append(row.recipe.ljust(12) + cells)
    return "\n".join(lines)


def _sheet(dolls: Sequence[Doll], measured: Sequence[Measured]) -> Image.Image:
    """A row of references, a row of truths and a row of what the last recipe painted, per
    subject.
    """
    cells, columns = [], max(len(doll.truths) for doll in dolls)
    for doll, each in zip(dolls, measured, strict=True):
        shown = [Cell(reference, doll.name) for reference in doll.references]
        cells += shown + [Cell(Image.new("RGB", (1, 1)))] * (columns - len(shown))
        truths = [Cell(pictures[0], suffix) for suffix, pictures in doll.truths.items()]
        painted = [Cell(picture, suffix) for suffix, picture in each.painted.items()]
        for row in (truths, painted):
            cells += row + [Cell(Image.new("RGB", (1, 1)))] * (columns - len(row))
    return draw_sheet([Section("references, truth, painted", cells, columns)], cell_size=96)
