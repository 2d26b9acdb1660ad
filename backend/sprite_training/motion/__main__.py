"""`python -m sprite_training.motion train|evaluate|sheet|mannequins`: train the motion model."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from modelsheet.errors import ModelsheetError
from modelsheet.motion.figures.fitting import MEASURES_NAME, write_measures
from modelsheet.motion.figures.mannequin_archive import FOLDER
from sprite_training.device import Accelerator
from sprite_training.motion.character_parts import Split
from sprite_training.motion.checkpoints import read_model
from sprite_training.motion.contact_sheet import contact_sheet
from sprite_training.motion.evaluation import GIVEN, TestSet, evaluate
from sprite_training.motion.mannequin_sheets import write_mannequins
from sprite_training.motion.measures import BODIES, find_measures
from sprite_training.motion.posed_archive import PosedArchive
from sprite_training.motion.ranks import train
from sprite_training.motion.training import TrainingOptions


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sub-command; return the exit code."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        chosen.run(chosen)
    except ModelsheetError as error:
        parser.exit(2, f"{error}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sprite_training.motion", description=__doc__)
    commands = parser.add_subparsers(required=True)
    _add_train(commands.add_parser("train", help="train, or go on"))
    mannequins = commands.add_parser(
        "mannequins", help="draw the product's mannequins, and find how figures are measured"
    )
    mannequins.set_defaults(run=_mannequins)
    mannequins.add_argument("--archives", type=Path, nargs=2, required=True, help="both sets")
    mannequins.add_argument("--split", type=Path, required=True, help="JSON of withheld parts")
    mannequins.add_argument("--characters", type=int, default=6000, help="to measure")
    mannequins.add_argument("--out", type=Path, default=FOLDER, help="folder (the product's)")
    evaluation = commands.add_parser("evaluate", help="measure on test characters")
    evaluation.set_defaults(run=_evaluate)
    sheet = commands.add_parser("sheet", help="draw test characters beside the truth, as a PNG")
    sheet.set_defaults(run=_sheet)
    sheet.add_argument("--ability", choices=list(GIVEN), default="key", help="what is given")
    sheet.add_argument("--out", type=Path, required=True, help="the PNG to write")
    for command, number in ((evaluation, 32), (sheet, 10)):
        command.add_argument("weights", type=Path, help=".safetensors, .pt, or the --out of train")
        command.add_argument("--archive", type=Path, required=True, help="the zip of parts")
        command.add_argument("--characters", type=Path, required=True, help="JSON of test ones")
        command.add_argument("--number", type=int, default=number, help="of characters")
        command.add_argument("--threads", type=int, default=1)
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_train)
    parser.add_argument(
        "--archives", type=Path, nargs="+", required=True, help="zips of character parts"
    )
    parser.add_argument("--split", type=Path, required=True, help="JSON of withheld parts")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and log")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    start.add_argument("--from", dest="start", type=Path, help="weights to begin with")
    parser.add_argument(
        "--seconds",
        type=float,
        help="save and stop after so many, counted from the first step, when the step then under "
        "way is done; with --cooldown, that begins early enough to end by then",
    )
    parser.add_argument(
        "--cooldown",
        type=int,
        help="let the learning rate fall to 0 within so many pictures, then save and stop; it "
        "begins at once, or as --seconds says",
    )
    parser.add_argument("--pictures", type=int, help="save and stop after so many in all")
    parser.add_argument("--save-every", type=float, default=600.0, help="seconds")
    parser.add_argument("--items", type=int, help="characters a step and rank (3; CUDA: 256)")
    parser.add_argument("--targets", type=int, default=4, help="wanted poses of a character")
    parser.add_argument("--rate", type=float, help="learning rate (4e-4; CUDA: 1.2e-3)")
    parser.add_argument("--warm-up", type=int, default=200, help="steps")
    parser.add_argument("--workers", type=int, help="data processes of a rank (1; CUDA: 14)")
    parser.add_argument("--ranks", type=int, help="processes that share a step (2; CUDA: 1)")
    parser.add_argument("--threads", type=int, default=1, help="of each rank")
    parser.add_argument("--seed", type=int, default=0)


@contextmanager
def _recording(out: Path) -> Iterator[None]:
    """Log to the terminal, and to a file beside the checkpoints."""
    out.mkdir(parents=True, exist_ok=True)
    layout = "%(asctime)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=layout)
    record = logging.FileHandler(out / "train.log", encoding="utf-8")
    record.setFormatter(logging.Formatter(layout))
    logging.getLogger().addHandler(record)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(record)
        record.close()


def _train(chosen: argparse.Namespace) -> None:
    with _recording(chosen.out):
        train(_options(chosen))


def _options(chosen: argparse.Namespace) -> TrainingOptions:
    """Fill in what depends on the device."""
    is_cuda = Accelerator.detect().is_cuda
    return TrainingOptions(
        archives=tuple(chosen.archives),
        split=chosen.split,
        out=chosen.out,
        start=chosen.start,
        resume=chosen.resume,
        items=chosen.items or (256 if is_cuda else 3),
        targets=chosen.targets,
        learning_rate=chosen.rate or (1.2e-3 if is_cuda else 4e-4),
        warm_up_steps=chosen.warm_up,
        pictures=chosen.pictures,
        seconds=chosen.seconds,
        cooldown=chosen.cooldown,
        save_every_s=chosen.save_every,
        workers=(14 if is_cuda else 1) if chosen.workers is None else chosen.workers,
        ranks=chosen.ranks or (1 if is_cuda else 2),
        threads=chosen.threads,
        seed=chosen.seed,
    )


def _evaluate(chosen: argparse.Namespace) -> None:
    torch.set_num_threads(chosen.threads)
    model, pictures = read_model(chosen.weights)
    test = TestSet(chosen.archive, chosen.characters, chosen.number)
    header = f"{pictures} pictures seen, {len(test.characters)} characters"
    sys.stdout.write("\n".join([header, *evaluate(test, model)]) + "\n")


def _mannequins(chosen: argparse.Namespace) -> None:
    for path in write_mannequins(chosen.archives, chosen.out):
        sys.stdout.write(f"{path}\n")
    split = Split(chosen.split)
    archives = [PosedArchive(path, split) for path in chosen.archives]
    measures = find_measures(archives, chosen.characters, np.random.default_rng(0))
    write_measures(chosen.out / MEASURES_NAME, list(BODIES), measures)


def _sheet(chosen: argparse.Namespace) -> None:
    torch.set_num_threads(chosen.threads)
    model, _ = read_model(chosen.weights)
    test = TestSet(chosen.archive, chosen.characters, chosen.number, doubles=0)
    contact_sheet(test, model, chosen.ability).save(chosen.out)


if __name__ == "__main__":
    raise SystemExit(main())
