"""`modelsheet bench likeness`: learn subjects by several methods and measure subject fidelity,
prompt fidelity and right images, beside the values of real images and of the untuned base.

An image is right when the true one is nearer than any of 100 distractors: composites that keep the
subject but change the asked equipment, or keep the equipment but change the subject.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

import torch

from modelsheet.api.learn import TrainingOverrides, current_preset
from modelsheet.base_models.families import FAMILIES, REFERENCE_FAMILIES
from modelsheet.base_models.locate import DEFAULT_BASE_MODEL
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.clip_encoders import Clip, load_clip
from modelsheet.diffusion.models.cpu_threads import threads_for
from modelsheet.errors import InvalidRequest
from modelsheet.settings import Settings
from modelsheet_benchmarks.console import print_line
from modelsheet_benchmarks.fidelity import dreambooth_dataset
from modelsheet_benchmarks.fidelity.evaluation import (
    INFERENCE_STEPS,
    BenchmarkResults,
    Evaluation,
    SubjectResult,
)
from modelsheet_benchmarks.fidelity.html_report import load_plots, write_page
from modelsheet_benchmarks.fidelity.image_encoders import Encoders, clip_encoder, dino_encoder
from modelsheet_benchmarks.fidelity.methods import (
    VARIANTS,
    Method,
    PresetMethod,
    ReferencesMethod,
    ScriptMethod,
    differing_variants,
    variants,
)
from modelsheet_benchmarks.fidelity.openraster_subject import read_openraster_subject
from modelsheet_benchmarks.fidelity.result_table import table
from modelsheet_benchmarks.fidelity.textual_inversion import TextualInversion
from modelsheet_benchmarks.subjects import DEFAULT_SUBJECTS, BenchmarkSubject, read_subjects
from sprite_training.sprite32.tiles import TileSet

_BALANCED = "balanced"
_SEEDS = 2
# Not part of the repository, like the subjects.
TILES = DEFAULT_SUBJECTS.parent / "sprites.zip"
_REFERENCES, _LEARNT, _BOTH = _COMPARED = ("references", "learnt", "both")
_PRESETS = ("quick", _BALANCED, "thorough", "write-up")
_SUBJECTS_HELP = (
    "a folder of drawn subjects, each a folder with subject.json (class noun, captioned "
    "references, prompts with true pictures) and its PNGs, or the DreamBooth data set's, with "
    f"{dreambooth_dataset.LIST}, or a document of your own, .ora, whose layers are the "
    "references (default: %(default)s, where that exists)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--subjects", type=Path, default=DEFAULT_SUBJECTS, help=_SUBJECTS_HELP)
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
    _add_methods(parser.add_argument_group("who learns"))
    parser.add_argument("--seeds", type=int, help="pictures a prompt (2; for photographs 4)")
    parser.add_argument(
        "--inference-steps", type=int, default=INFERENCE_STEPS, help="a picture (%(default)s)"
    )
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="subjects by number")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument("--page", type=Path, metavar="DIR", help="write plots and pictures there")
    parser.set_defaults(run=run)


def _add_methods(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--preset", nargs="*", type=current_preset, default=[_BALANCED], choices=_PRESETS
    )
    group.add_argument(
        "--variant", nargs="+", default=[], choices=tuple(VARIANTS), help="of balanced"
    )
    group.add_argument("--inversion", action="store_true", help="textual inversion")
    group.add_argument("--script", type=Path, help="diffusers' train_dreambooth_lora.py")
    group.add_argument(
        "--compare",
        nargs="*",
        choices=_COMPARED,
        help="alone: balanced, all variants that differ from it, textual inversion, the write-up's "
        "setting (seed) and, where it is given, the script; with words: the subject's pictures as "
        "references, learnt (balanced), both together",
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
    """Evaluate all methods on all subjects and print a table after each; return the exit code.

    Raises ModelsheetError.
    """
    if arguments.page:
        load_plots()  # a missing matplotlib is reported now, not after hours
    data_dir = Settings.from_environment(os.environ).data_dir
    device = torch.device(arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    base = load_base_model(arguments.base, data_dir, device)
    torch.set_num_threads(threads_for(base, torch.get_num_threads(), data_dir))
    clip = load_clip(base, data_dir / "models")
    encoders = [clip_encoder(clip)]
    if arguments.dino:
        encoders.append(dino_encoder(arguments.dino, device))
    evaluations = _evaluations(arguments, base, Encoders(clip, encoders))
    results, time_limits = BenchmarkResults(evaluations), dict[str, float]()
    for method in _methods(arguments, base, clip, data_dir):
        by_subject = []
        for evaluation in evaluations:
            time_limit_s = time_limits.get(evaluation.subject.name)
            by_subject.append(evaluation.evaluate(method, time_limit_s))
            print_line(_line(evaluation.subject, by_subject[-1]))
        results.add(method.name, by_subject)
        if arguments.equal_time and not time_limits:
            seconds = [result.learnt.seconds for result in by_subject]
            time_limits = {
                e.subject.name: each for e, each in zip(evaluations, seconds, strict=True)
            }
        print_line(table(results.rows))
        if arguments.json:
            rows = [row.as_json() | {"equal_time": arguments.equal_time} for row in results.rows]
            arguments.json.write_text(json.dumps(rows, indent=2) + "\n", "utf-8")
    if arguments.page:
        write_page(arguments.page, results, _conditions(arguments, evaluations))
    return 0


def _evaluations(
    arguments: argparse.Namespace, base: BaseModel, encoders: Encoders
) -> list[Evaluation]:
    subjects = _read_subjects(arguments)
    chosen = subjects
    if arguments.only:
        if max(arguments.only) >= len(subjects):
            raise InvalidRequest(f"--only counts from 0, and there are {len(subjects)} subjects.")
        chosen = [subjects[n] for n in arguments.only]
    tiles = _read_tiles(arguments.tiles, arguments.subjects)
    seeds = arguments.seeds or (
        _SEEDS if subjects[0].truths else dreambooth_dataset.PICTURES_A_PROMPT
    )
    steps = arguments.inference_steps
    evaluations = [
        Evaluation(subject, subjects, base, encoders, tiles, seeds, steps) for subject in chosen
    ]
    print_line(_conditions(arguments, evaluations))
    return evaluations


def _read_subjects(arguments: argparse.Namespace) -> list[BenchmarkSubject]:
    folder: Path = arguments.subjects
    if folder.is_file():
        return [read_openraster_subject(folder, arguments.class_noun, arguments.ask)]
    if (folder / dreambooth_dataset.LIST).is_file():
        return dreambooth_dataset.read_dreambooth(folder)
    return read_subjects(folder)


def _read_tiles(archive: Path | None, subjects: Path) -> TileSet | None:
    """Read the core tiles of the named archive, else of the one beside the subjects or at the usual
    place; None without any.
    """
    likely = (subjects.resolve().parent / TILES.name, TILES)
    found = archive or next((each for each in likely if each.is_file()), None)
    return TileSet.load(found).core() if found else None


def _methods(
    arguments: argparse.Namespace, base: BaseModel, clip: Clip, data_dir: Path
) -> list[Method]:
    """List the chosen methods without repetition; with equal times *balanced* first, whose seconds
    limit the others.
    """
    overrides = TrainingOverrides(
        training_steps=arguments.steps,
        unet_learning_rate=arguments.rate,
        text_encoder_learning_rate=arguments.text_rate,
        prior=arguments.prior,
    )
    if arguments.compare:
        _require_references(base, arguments.compare)
        learnt = PresetMethod(_LEARNT, clip, overrides=overrides)
        compared: dict[str, Method] = {
            _REFERENCES: ReferencesMethod(_REFERENCES),
            _LEARNT: learnt,
            _BOTH: ReferencesMethod(_BOTH, learnt),
        }
        return [compared[each] for each in dict.fromkeys(arguments.compare)]
    presets, changed = list(arguments.preset), list(arguments.variant)
    compares_all = arguments.compare is not None  # the flag without words
    if compares_all:
        presets += ["write-up"]
        changed += differing_variants(base)
    if arguments.equal_time or compares_all:
        presets = [_BALANCED, *presets]
    chosen: list[Method] = [
        PresetMethod(each, clip, each, overrides) for each in dict.fromkeys(presets)
    ]
    chosen += variants(list(dict.fromkeys(changed)), clip)
    if arguments.inversion or compares_all:
        chosen.append(TextualInversion(clip))
    if arguments.script:
        chosen.append(ScriptMethod(arguments.script, data_dir))
    return chosen


def _require_references(base: BaseModel, methods: Sequence[str]) -> None:
    """Raise InvalidRequest where a method needs references and the base takes none."""
    if not FAMILIES[base.family].takes_references and {_REFERENCES, _BOTH} & set(methods):
        raise InvalidRequest(
            f"{base.id} takes no references. Compare on a model of one of these: "
            f"{REFERENCE_FAMILIES}."
        )


def _conditions(arguments: argparse.Namespace, evaluations: Sequence[Evaluation]) -> str:
    """Describe the conditions of the measurement in a few sentences."""
    subject = evaluations[0].subject
    said = (
        f"{len(evaluations)} subjects from {arguments.subjects.name}, "
        f"{len(subject.prompts)} prompts, {evaluations[0].seeds} pictures a prompt, "
        f"on {arguments.base}. "
        f"PRES and DIV are measured by {'DINO' if arguments.dino else 'CLIP: no DINO was named'}."
    )
    distractors = [each for evaluation in evaluations for each in evaluation.distractors.values()]
    if distractors:
        made = sum(each.are_composed for each in distractors)
        said += (
            f" Each true picture has {min(r.count for r in distractors)} to "
            f"{max(r.count for r in distractors)} rivals, composed for {made} of "
            f"{len(distractors)} prompts and else the other true pictures."
        )
    if arguments.equal_time:
        said += " Nobody learnt a subject for longer than balanced did."
    return said


def _line(subject: BenchmarkSubject, result: SubjectResult) -> str:
    """Summarize one subject before and after learning, with its validation curve, in a line."""
    metrics = result.metrics
    curve = " ".join(f"{each.point.subject_fidelity:.2f}" for each in result.learnt.curve)
    right = f"both right {metrics['both_right']:.2f}, " if "both_right" in metrics else ""
    return (
        f"{subject.name:28} subject {metrics['base_fidelity']:.2f} → "
        f"{metrics['subject_fidelity']:.2f} (real {metrics['real_fidelity']:.2f}), "
        f"prompt {metrics['base_prompt_fidelity']:.2f} → {metrics['prompt_fidelity']:.2f}, "
        f"drift {metrics['prior_drift']:.3f}, {right}{metrics['seconds']:.0f} s, curve {curve}"
    )
