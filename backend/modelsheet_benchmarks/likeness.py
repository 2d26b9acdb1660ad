"""`modelsheet bench likeness`: learn subjects in several ways and measure how like them, how
obedient and how right the pictures are, beside what real pictures and the untuned base reach.

A picture is right when its truth is nearer than any of 100 composites that keep the subject but
change the asked thing, or keep the thing but change the subject.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

import torch

from modelsheet.api.learn import TrainingOverrides
from modelsheet.base_models.catalogue import DEFAULT_BASE_MODEL
from modelsheet.diffusion.models.base_model import BaseModel, load_base_model
from modelsheet.diffusion.models.clip import Clip, load_clip
from modelsheet.errors import InvalidRequest
from modelsheet.settings import Settings
from modelsheet_benchmarks import dreambooth_dataset
from modelsheet_benchmarks.evaluation import INFERENCE_STEPS, Exam, Report, Result
from modelsheet_benchmarks.html_report import plots, write_page
from modelsheet_benchmarks.image_encoders import Senses, clip_eyes, dino_eyes
from modelsheet_benchmarks.methods import (
    VARIANTS,
    Contestant,
    Ours,
    Script,
    differing_variants,
    variants,
)
from modelsheet_benchmarks.openraster_subject import read_own
from modelsheet_benchmarks.result_table import table
from modelsheet_benchmarks.subjects import DOLLS, Doll, read_dolls
from modelsheet_benchmarks.textual_inversion import TextualInversion
from sprite_training.sprite32.tiles import TileSet

_BALANCED = "balanced"
_SEEDS = 2
# Does not come with Modelsheet, as the subjects do not.
TILES = DOLLS.parent / "sprites.zip"
_PRESETS = ("quick", _BALANCED, "thorough", "write-up")
_SUBJECTS_HELP = (
    "a folder of drawn subjects, each a folder with subject.json (class noun, captioned "
    "references, prompts with true pictures) and its PNGs, or the DreamBooth data set's, with "
    f"{dreambooth_dataset.LIST}, or a document of your own, .ora, whose layers are the "
    "references (default: %(default)s, where that exists)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--subjects", type=Path, default=DOLLS, help=_SUBJECTS_HELP)
    parser.add_argument("--class-noun", default="", help="what your own document shows")
    parser.add_argument(
        "--ask", nargs="+", default=[], metavar="WORDS", help="prompts for it, without its name"
    )
    parser.add_argument("--base", default=DEFAULT_BASE_MODEL, help="base model (%(default)s)")
    parser.add_argument("--device", help="cpu or cuda; by default cuda where there is one")
    parser.add_argument(
        "--tiles",
        type=Path,
        help=f"zip of the tiles that truths were made of, to compose rivals ({TILES.name} beside "
        "the subjects' folder, where that exists; else the given truths are the rivals)",
    )
    parser.add_argument("--dino", metavar="MODEL", help="folder or id, facebook/dino-vits16 say")
    _add_contestants(parser.add_argument_group("who learns"))
    parser.add_argument("--seeds", type=int, help="pictures a prompt (2; for photographs 4)")
    parser.add_argument(
        "--inference-steps", type=int, default=INFERENCE_STEPS, help="a picture (%(default)s)"
    )
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="subjects by number")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument("--page", type=Path, metavar="DIR", help="write plots and pictures there")
    parser.set_defaults(run=run)


def _add_contestants(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--preset", nargs="*", default=[_BALANCED], choices=_PRESETS)
    group.add_argument(
        "--variant", nargs="+", default=[], choices=tuple(VARIANTS), help="of balanced"
    )
    group.add_argument("--inversion", action="store_true", help="textual inversion")
    group.add_argument("--script", type=Path, help="diffusers' train_dreambooth_lora.py")
    group.add_argument(
        "--compare",
        action="store_true",
        help="balanced, all variants that differ from it, textual inversion, the write-up's "
        "setting (seed) and, where it is given, the script",
    )
    group.add_argument(
        "--equal-time",
        action="store_true",
        help="nobody learns a subject for longer than balanced did, which goes first",
    )
    group.add_argument("--prior", choices=("no-images", "class-images", "none"))
    group.add_argument("--steps", type=int, help="instead of the preset's")
    group.add_argument("--rate", type=float, help="the UNet's learning rate")
    group.add_argument("--text-rate", type=float, help="the text encoder's learning rate")


def run(arguments: argparse.Namespace) -> int:
    """Raises ModelsheetError."""
    if arguments.page:
        plots()  # better now than after hours
    data_dir = Settings.from_environment(os.environ).data_dir
    device = torch.device(arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    base = load_base_model(arguments.base, data_dir, device)
    clip = load_clip(base, data_dir / "models")
    eyes = [clip_eyes(clip)] + ([dino_eyes(arguments.dino, device)] if arguments.dino else [])
    exams = _exams(arguments, base, Senses(clip, eyes))
    report, budgets = Report(exams), dict[str, float]()
    for contestant in _contestants(arguments, base, clip, data_dir):
        results = []
        for exam in exams:
            results.append(exam.sit(contestant, budgets.get(exam.doll.name)))
            _say(_line(exam.doll, results[-1]))
        report.add(contestant.name, results)
        if arguments.equal_time and not budgets:
            seconds = [result.taught.seconds for result in results]
            budgets = {e.doll.name: each for e, each in zip(exams, seconds, strict=True)}
        _say(table(report.rows))
        if arguments.json:
            rows = [row.as_json() | {"equal_time": arguments.equal_time} for row in report.rows]
            arguments.json.write_text(json.dumps(rows, indent=2) + "\n", "utf-8")
    if arguments.page:
        write_page(arguments.page, report, _conditions(arguments, exams))
    return 0


def _exams(arguments: argparse.Namespace, base: BaseModel, senses: Senses) -> list[Exam]:
    dolls = _read_subjects(arguments)
    chosen = dolls
    if arguments.only:
        if max(arguments.only) >= len(dolls):
            raise InvalidRequest(f"--only counts from 0, and there are {len(dolls)} subjects.")
        chosen = [dolls[n] for n in arguments.only]
    tiles = _read_tiles(arguments.tiles, arguments.subjects)
    seeds = arguments.seeds or (_SEEDS if dolls[0].truths else dreambooth_dataset.PICTURES_A_PROMPT)
    steps = arguments.inference_steps
    exams = [Exam(doll, dolls, base, senses, tiles, seeds, steps) for doll in chosen]
    _say(_conditions(arguments, exams))
    return exams


def _read_subjects(arguments: argparse.Namespace) -> list[Doll]:
    folder: Path = arguments.subjects
    if folder.is_file():
        return [read_own(folder, arguments.class_noun, arguments.ask)]
    if (folder / dreambooth_dataset.LIST).is_file():
        return dreambooth_dataset.read_dreambooth(folder)
    return read_dolls(folder)


def _read_tiles(archive: Path | None, subjects: Path) -> TileSet | None:
    """The core of the archive that is named, or that lies beside the subjects, or where it usually
    does.
    """
    likely = (subjects.resolve().parent / TILES.name, TILES)
    found = archive or next((each for each in likely if each.is_file()), None)
    return TileSet.load(found).core() if found else None


def _contestants(
    arguments: argparse.Namespace, base: BaseModel, clip: Clip, data_dir: Path
) -> list[Contestant]:
    """Without repetition; with equal times *balanced* first, whose seconds are everybody's."""
    overrides = TrainingOverrides(
        training_steps=arguments.steps,
        unet_learning_rate=arguments.rate,
        text_encoder_learning_rate=arguments.text_rate,
        prior=arguments.prior,
    )
    presets, changed = list(arguments.preset), list(arguments.variant)
    if arguments.compare:
        presets += ["write-up"]
        changed += differing_variants(base)
    if arguments.equal_time or arguments.compare:
        presets = [_BALANCED, *presets]
    chosen: list[Contestant] = [
        Ours(each, clip, each, overrides) for each in dict.fromkeys(presets)
    ]
    chosen += variants(list(dict.fromkeys(changed)), clip)
    if arguments.inversion or arguments.compare:
        chosen.append(TextualInversion(clip))
    if arguments.script:
        chosen.append(Script(arguments.script, data_dir))
    return chosen


def _conditions(arguments: argparse.Namespace, exams: Sequence[Exam]) -> str:
    """Under what the figures came about, in a few sentences."""
    doll = exams[0].doll
    said = (
        f"{len(exams)} subjects from {arguments.subjects.name}, {len(doll.prompts)} prompts, "
        f"{exams[0].seeds} pictures a prompt, on {arguments.base}. "
        f"PRES and DIV are measured by {'DINO' if arguments.dino else 'CLIP: no DINO was named'}."
    )
    rivals = [each for exam in exams for each in exam.rivals.values()]
    if rivals:
        made = sum(each.are_composed for each in rivals)
        said += (
            f" Each true picture has {min(r.count for r in rivals)} to "
            f"{max(r.count for r in rivals)} rivals, composed for {made} of {len(rivals)} prompts"
            " and else the other true pictures."
        )
    if arguments.equal_time:
        said += " Nobody learnt a subject for longer than balanced did."
    return said


def _line(doll: Doll, result: Result) -> str:
    """One subject before and after learning, and its probe curve."""
    figures = result.figures
    curve = " ".join(f"{moment.point.subject_fidelity:.2f}" for moment in result.taught.curve)
    right = f"both right {figures['both_right']:.2f}, " if "both_right" in figures else ""
    return (
        f"{doll.name:28} subject {figures['base_fidelity']:.2f} → "
        f"{figures['subject_fidelity']:.2f} (real {figures['real_fidelity']:.2f}), "
        f"prompt {figures['base_prompt_fidelity']:.2f} → {figures['prompt_fidelity']:.2f}, "
        f"drift {figures['prior_drift']:.3f}, {right}{figures['seconds']:.0f} s, curve {curve}"
    )


def _say(words: str) -> None:
    print(words, flush=True)  # noqa: T201 -- a program, asked for its figures
