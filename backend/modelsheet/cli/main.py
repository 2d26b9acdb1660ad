"""Command line of Modelsheet: the parser, and the exit codes of errors."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import io
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, get_args

from pydantic import ValidationError

import modelsheet
from modelsheet.api.learn import PresetName, TrainingOverrides, current_preset
from modelsheet.api.validation_messages import validation_message
from modelsheet.cli import (
    animate,
    generate,
    installation,
    jobs,
    learn,
    models,
    nouns,
    serve,
    subjects,
    tokens,
)
from modelsheet.cli.output import discard_unwritten, flush, notes_on_images, say, say_error
from modelsheet.errors import Cancelled, ModelsheetError, NotFound
from modelsheet.subjects.lora_exchange import ExportFormat

# Programs with a parser of their own, imported when called; they are not part of the wheel.
DELEGATED: Mapping[str, str] = {
    "bench": "modelsheet_benchmarks.__main__:main",
    "capacity": "modelsheet_benchmarks.queue_simulation:main",
    "sprite32": "sprite_training.sprite32.__main__:main",
}

_INTERRUPTED = 130  # the shell's convention after SIGINT
_USAGE = 2  # argparse's exit code
_OUT_OF_MEMORY = (
    "There is not enough free memory for this. Close other programs, or take smaller pictures."
)
# Options whose name differs from the request's field.
_OPTIONS = {"inference_steps": "--steps", "guidance_scale": "--guidance", "init_image": "--from"}
_Choices: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Errors are one sentence on stderr."""
    given = list(sys.argv[1:] if argv is None else argv)
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as in workers; a benchmark runs models here
    for stream in (sys.stdout, sys.stderr):  # a console may lack letters of a name
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        try:
            return _run(given)
        finally:
            flush()  # here, where an error of the output is caught
    except OSError as error:
        # As in `modelsheet jobs | head -1`, whose reader has what it wants.
        is_broken_pipe = isinstance(error, BrokenPipeError)
        code = 0 if is_broken_pipe else _print_error(_os_error_sentence(error), 1)
        discard_unwritten()
        return code


def _run(given: list[str]) -> int:
    """Run one command and return its exit code. Raises OSError."""
    try:
        if given and given[0] in DELEGATED:
            return _delegate(given[0], given[1:])
        arguments = make_parser().parse_args(given)
        with notes_on_images():
            code: int = arguments.run(arguments, say)
        return code
    except ValidationError as error:
        return _print_error(_first_error(error), _USAGE)
    except Cancelled as error:
        return _print_error(str(error), _INTERRUPTED)
    except ModelsheetError as error:
        return _print_error(str(error), 1)
    except MemoryError:
        return _print_error(_OUT_OF_MEMORY, 1)
    except KeyboardInterrupt:
        return _print_error("Stopped.", _INTERRUPTED)


def _delegate(command: str, arguments: list[str]) -> int:
    """Run a delegated program. Raises NotFound where its package is not installed."""
    module, _, function = DELEGATED[command].partition(":")
    package = module.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        raise NotFound(
            f"`modelsheet {command}` is not part of an installed Modelsheet: it lives in "
            f"backend/{package} of the source repository, so run it in a checkout of that."
        )
    code: int = getattr(importlib.import_module(module), function)(arguments)
    return code


def _first_error(error: ValidationError) -> str:
    """Return a sentence on the request's first invalid field, by the name of its option."""
    first = error.errors()[0]
    message = validation_message(first)
    for name, option in _OPTIONS.items():
        message = message.replace(f"an {name}", option).replace(f"the {name}", option)
    field = " ".join(_OPTIONS.get(str(part), str(part).replace("_", " ")) for part in first["loc"])
    sentence = f"{field} {message}" if field else message
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _os_error_sentence(error: OSError) -> str:
    """Return a sentence on a file or folder that the system refuses."""
    reason = error.strerror or type(error).__name__
    if error.filename is None:
        return f"The system refuses: {reason}. Mend that and try again."
    return f"{os.fsdecode(error.filename)}: {reason}. Mend that, or name another file or folder."


def _print_error(sentence: str, code: int) -> int:
    say_error(sentence)
    return code


def make_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands that are not delegated."""
    parser = argparse.ArgumentParser(prog="modelsheet", description=modelsheet.__doc__)
    parser.add_argument("--version", action="version", version=modelsheet.__version__)
    choices = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (_add_serve, _add_learn, _add_nouns):
        add(choices)
    generate.add_generate_commands(choices, _add_server)
    _add_animate(choices)
    for add in (_add_subjects, _add_models, _add_jobs, _add_token):
        add(choices)
    for add in (_add_doctor, _add_bundle, _add_demo, _add_krita):
        add(choices)
    for name in DELEGATED:
        choices.add_parser(name, help=f"see: modelsheet {name} --help")
    return parser


def _add_serve(choices: _Choices) -> None:
    parser = choices.add_parser("serve", help="run the service until Ctrl-C")
    parser.add_argument("--port", type=_port, default=0, help="0, the default, takes a free one")
    parser.add_argument(
        "--executor", choices=("process", "ray"), default="process", help="ray: a cluster's GPUs"
    )
    parser.add_argument(
        "--ray-address", default="auto", metavar="HOST:PORT", help="the cluster's head"
    )
    parser.add_argument(
        "--gpus-per-worker",
        type=int,
        choices=range(1, 17),
        default=1,
        metavar="N",
        help="for subjects learnt on several cards of a machine (default: %(default)s)",
    )
    parser.add_argument(
        "--json-log", action="store_true", help="write the log as lines of JSON, for programs"
    )
    parser.set_defaults(run=serve.serve)


def _port(given: str) -> int:
    if given.isascii() and given.isdigit() and int(given) < 65536:
        return int(given)
    raise argparse.ArgumentTypeError(f"{given} is no port; give one from 0 to 65535")


def _add_learn(choices: _Choices) -> None:
    parser = choices.add_parser("learn", help="learn a subject from layers or pictures")
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="OpenRaster or picture; or the @name of a subject that is not learnt yet",
    )
    parser.add_argument("--name", default="", help="what you will call it: @name in prompts")
    parser.add_argument(
        "--not-yet",
        action="store_true",
        help="only keep the pictures, to paint by them at once (FLUX.2 klein, IP-Adapters)",
    )
    parser.add_argument(
        "--layer",
        dest="layers",
        action="append",
        default=[],
        metavar="NAME",
        help="learn only from the layers called so; can be given again",
    )
    parser.add_argument("--class-noun", default="", help="what it is: girl, fox, robot")
    parser.add_argument("--identifier", default="", help="a rare token; chosen if left out")
    parser.add_argument(
        "--preset", type=current_preset, choices=get_args(PresetName), default="balanced"
    )
    parser.add_argument("--base", default="sprite32", help="base model (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another number than the preset's, as often as need be: "
        + ", ".join(TrainingOverrides.model_fields),
    )
    _add_server(parser)
    parser.set_defaults(run=learn.learn)


def _add_animate(choices: _Choices) -> None:
    parser = choices.add_parser(
        "animate",
        help="draw a character's other views and its actions, frame by frame",
        description="From one to four drawings of a character, or a subject: the views that are "
        "missing, and frames of actions. Formats: frames (a PNG each), ora, gif, apng, sheet, and "
        "sheets with an atlas: aseprite, aseprite-hash, texturepacker, godot, phaser.",
    )
    animate.add_options(parser)
    _add_server(parser)


def _add_nouns(choices: _Choices) -> None:
    parser = choices.add_parser(
        "nouns", help="list the nouns that a base model knows, or say what yours is learnt as"
    )
    parser.add_argument("noun", nargs="*", help="in English or Russian: fox, little girl, лиса")
    parser.add_argument("--base", default="sprite32", help="base model (default: %(default)s)")
    _add_server(parser)
    parser.set_defaults(run=nouns.nouns)


def _add_subjects(choices: _Choices) -> None:
    parser = choices.add_parser(
        "subjects",
        help="list, show, rename, delete what was learnt; export it as a LoRA file, or import one",
        description="export writes for ComfyUI, A1111, Forge and Krita AI Diffusion; import takes "
        "LoRA files of theirs, and of diffusers and peft. --format subject writes all there is of "
        "one, for another Modelsheet to import.",
    )
    actions = subjects.ACTIONS
    parser.add_argument("action", nargs="?", choices=actions, default="list")
    parser.add_argument("name", nargs="?", default="", help="name, identifier or id; or the file")
    formats = (*get_args(ExportFormat), subjects.ARCHIVE_FORMAT)
    parser.add_argument("--format", choices=formats, default="kohya", help="(%(default)s)")
    parser.add_argument("--out", type=Path, help="where to export to")
    parser.add_argument(
        "--name", dest="called", default="", help="what to call it: imported, renamed"
    )
    parser.add_argument("--class-noun", default="", help="what it is: cat, human woman")
    parser.add_argument("--identifier", default="", help="its trigger word; else the file's own")
    parser.add_argument("--embedding", type=Path, help="the trigger word's embedding, a file too")
    parser.add_argument("--base", default="sprite32", help="the base model it was made for")
    _add_server(parser)
    parser.set_defaults(run=subjects.subjects)


def _add_models(choices: _Choices) -> None:
    parser = choices.add_parser(
        "models",
        help="list base models, add those you have, or download some",
        description="add takes a folder in diffusers' layout, a .safetensors checkpoint, or the "
        "folder of ComfyUI or A1111; download takes sd15, sdxl or clip (for naming).",
    )
    actions = models.ACTIONS
    parser.add_argument("action", nargs="?", choices=actions, default="list")
    parser.add_argument("target", nargs="?", default="", help="folder, file or name")
    parser.add_argument("--name", dest="called", default="", help="what to call what is added")
    parser.add_argument("--config", help="config files for a checkpoint of another build")
    predictions = ("epsilon", "v_prediction")
    parser.add_argument("--prediction-type", choices=predictions, default="")
    _add_server(parser)
    parser.set_defaults(run=models.models)


def _add_jobs(choices: _Choices) -> None:
    parser = choices.add_parser(
        "jobs",
        help="list jobs; cancel, pause, resume, finish or move one; hold, open or end the queue",
        description="finish: stop learning and keep the best so far. end: stop the service after "
        "the job that runs.",
    )
    parser.add_argument("action", nargs="?", choices=jobs.JOB_ACTIONS, default="list")
    parser.add_argument("id", nargs="?", default="")
    parser.add_argument("--all", action="store_true", help="who works at what, who waits for what")
    parser.add_argument("--before", metavar="ID", help="the job to move it before; else it is last")
    _add_server(parser)
    parser.set_defaults(run=jobs.jobs)


def _add_token(choices: _Choices) -> None:
    parser = choices.add_parser("token", help="let other artists use this service, or no longer")
    parser.add_argument("action", nargs="?", choices=tokens.TOKEN_ACTIONS, default="list")
    parser.add_argument("name", nargs="?", default="", help="small letters, digits and . _ -")
    parser.add_argument("--gpus", type=int, default=0, help="limit: so many jobs at once, 0 any")
    parser.add_argument("--queued", type=int, default=0, help="limit: so many waiting, 0 for 200")
    _add_server(parser)
    parser.set_defaults(run=tokens.token)


def _add_bundle(choices: _Choices) -> None:
    parser = choices.add_parser("bundle", help="pack what helps to find a fault, without secrets")
    parser.add_argument("file", nargs="?", type=Path, default=Path("modelsheet-bundle.zip"))
    parser.set_defaults(run=installation.bundle)


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--server", metavar="URL", help="another computer's service")
    parser.add_argument(
        "--token", help="its token; else MODELSHEET_TOKEN, which `ps` does not show"
    )


def _add_doctor(choices: _Choices) -> None:
    parser = choices.add_parser("doctor", help="say what this machine has and what is missing")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=installation.doctor)


def _add_demo(choices: _Choices) -> None:
    parser = choices.add_parser("demo", help="learn the sample's hero and paint it")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for the results")
    parser.set_defaults(run=installation.demo)


def _add_krita(choices: _Choices) -> None:
    parser = choices.add_parser("krita", help="put the plugin into Krita, or take it out")
    parser.add_argument("action", choices=("install", "uninstall", "zip"))
    parser.add_argument("target", nargs="?", type=Path, default=Path("modelsheet_krita.zip"))
    parser.add_argument("--krita-dir", type=Path, help="Krita's resource folder")
    parser.set_defaults(run=installation.krita)
