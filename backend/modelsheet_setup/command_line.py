"""`python -m modelsheet_setup`: set up the backend without Krita; `checkout` is install.sh's."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from . import graphics_card, pythons
from .disk import check_disk
from .environment import Environment, Progress, Source, is_ours, refuse_foreign
from .errors import NoTorchBuild, SetupCancelled, SetupError
from .graphics_card import GraphicsCard
from .installation import Installation, Plan
from .platforms import Platform
from .runner import Runner


def main(arguments: Sequence[str], *, program: str = "modelsheet_setup") -> int:
    """Run a command; return the exit code. `program` stands before what goes wrong."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console need not know every letter
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except SetupError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, SetupCancelled):
        print(f"{program}: ended. The next run goes on from here.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # as in `./install.sh | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # the shell's convention after SIGPIPE
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="modelsheet_setup", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("plan", _plan, "say what would be downloaded, and where to"),
        ("install", _install, "set the backend up below the data folder; again: update it"),
        ("repair", _repair, "install all of it again"),
        ("remove", _remove, "remove it; what was learnt stays"),
    ):
        command = commands.add_parser(name, help=text)
        command.set_defaults(run=run)
    checkout = commands.add_parser("checkout", help="what install.sh calls")
    checkout.add_argument("root", type=Path)
    checkout.add_argument("--python", required=True)
    checkout.add_argument("--accelerator", choices=("cpu", "cuda", "rocm"))
    checkout.add_argument("--extras", default="")
    checkout.add_argument("--dry-run", action="store_true")
    checkout.set_defaults(run=_checkout)
    return parser


def _installation() -> Installation:
    platform = Platform.current()
    return Installation(platform, platform.data_folder())


def _plan(options: argparse.Namespace) -> None:
    _say_plan(_installation().plan())


def _say_plan(plan: Plan) -> None:
    python = f"Python {plan.python.version} ({plan.python.path})" if plan.python else "a new Python"
    print(f"{plan.download_mb} MB would be downloaded into {plan.folder}, for {plan.card.title}.")
    print(f"It would use {python}; {plan.free_gb} GB of the disk are free.")


def _install(options: argparse.Namespace) -> None:
    installation = _installation()
    with _stages() as progress:
        installation.set_up(progress)
    print(f"Done. It starts by: {' '.join(installation.command)}")


def _repair(options: argparse.Namespace) -> None:
    with _stages() as progress:
        _installation().repair(progress)


def _remove(options: argparse.Namespace) -> None:
    _installation().remove()
    print("Removed. What was learnt is kept.")


def _checkout(options: argparse.Namespace) -> None:
    """Set up `.venv` of a checkout, editable."""
    venv = options.root / ".venv"
    platform = Platform.current()
    runner = Runner(platform, venv / "install.log")
    found = pythons.examine(runner, Path(options.python))
    if found is None:
        raise SetupError(f"{options.python} is no Python from 3.10 to 3.14. Name another one.")
    card = graphics_card.detect(platform, runner)
    if options.accelerator:
        card = replace(card, accelerator=options.accelerator)
    source = Source(options.root, ("--editable", "."), ("pyproject.toml",))
    with _stages() as progress:
        environment = Environment(
            venv,
            source,
            runner,
            accelerator=card.accelerator,
            extras=options.extras,
            progress=progress,
        )
        if environment.is_up_to_date(found):
            print("The backend in .venv is up to date.")
        elif options.dry_run:
            print(
                f"The backend would be set up in {venv} for {card.accelerator} with Python "
                f"{found.version}; it needs {card.disk_gb} GB."
            )
        else:
            _set_up_checkout(environment, found, card)


def _set_up_checkout(
    environment: Environment, python: pythons.FoundPython, card: GraphicsCard
) -> None:
    refuse_foreign(environment.folder)
    if not is_ours(environment.folder):
        check_disk(environment.folder, card.disk_gb)
    print(f"Setting up the backend in .venv for {card.accelerator} with Python {python.version}.")
    try:
        environment.set_up(python)
    except NoTorchBuild as error:
        raise SetupError(f"{error} Or compute on the processor: ./install.sh --cpu") from None


@contextlib.contextmanager
def _stages() -> Iterator[Progress]:
    """Print each stage, and after it how long it took."""
    began: list[float] = []

    def end() -> None:
        if began:
            print(f"   done in {time.monotonic() - began.pop():.0f} s", flush=True)

    def begin(text: str, _: float) -> None:
        end()
        began.append(time.monotonic())
        print(f"── {text}", flush=True)

    yield Progress(stage=begin, note=lambda text: print(f"   {text}", flush=True))
    end()
