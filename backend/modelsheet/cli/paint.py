"""The commands that paint: generate, explore, sheet and again."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from modelsheet.api.explore import Axis, AxisName, Explore
from modelsheet.api.generate import GenerateRequest
from modelsheet.cli.commands import Say, connect
from modelsheet.cli.paint_options import (
    add_generation_options,
    add_inpainting_options,
    generation_fields,
    inpainting_fields,
)
from modelsheet.cli.progress import run_job
from modelsheet.client import workflows
from modelsheet.client.workflows import Outcome, Painting
from modelsheet.errors import InvalidRequest
from modelsheet.imaging.openraster import Group, Layer, write_document
from modelsheet.imaging.png_metadata import read_parameters, save_png
from modelsheet.imaging.rgba import read_image
from modelsheet.imaging.sprite_atlas import ATLAS_FORMATS, make_atlas

_LONGEST_STEM = 60
_SCALES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_Choices: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

# What is explored: across the grid, and down.
_GRIDS: dict[str, tuple[tuple[AxisName, Sequence[float]], ...]] = {
    "scales": (("text_encoder_scale", _SCALES), ("unet_scale", _SCALES)),
    "guidance": (
        ("inference_steps", (5.0, 10.0, 15.0, 20.0, 30.0, 50.0)),
        ("guidance_scale", (1.0, 2.0, 3.0, 5.0, 7.5, 10.0)),
    ),
    "seeds": (("seed", tuple(float(seed) for seed in range(16))),),
}


def add_generate_commands(
    choices: _Choices, add_server: Callable[[argparse.ArgumentParser], None]
) -> None:
    """`add_server` adds the options that say which service is asked."""
    for add in (_add_generate, _add_explore, _add_sheet, _add_again):
        add_server(add(choices))


def _add_generate(choices: _Choices) -> argparse.ArgumentParser:
    parser = choices.add_parser("generate", help="paint pictures from a prompt")
    add_generation_options(parser)
    add_inpainting_options(parser)
    parser.add_argument("--count", type=int, default=1)
    parser.set_defaults(run=generate)
    return parser


def _add_explore(choices: _Choices) -> argparse.ArgumentParser:
    parser = choices.add_parser("explore", help="paint a grid at one seed: pick what you like")
    parser.add_argument("what", choices=tuple(_GRIDS), help="what changes along the sides")
    add_generation_options(parser)
    for side in ("down", "across"):
        parser.add_argument(f"--{side}", type=float, nargs="+", metavar="VALUE")
    parser.set_defaults(run=explore)
    return parser


def _add_sheet(choices: _Choices) -> argparse.ArgumentParser:
    parser = choices.add_parser("sheet", help="paint poses on one baseline, with an atlas")
    add_generation_options(parser)
    parser.add_argument("poses", nargs="+", metavar="POSE", help='for example "holding sword"')
    parser.add_argument("--count", type=int, default=1, help="frames for each pose")
    parser.add_argument("--atlas", choices=ATLAS_FORMATS, default="aseprite")
    parser.add_argument("--frame-ms", type=int, default=100, help="how long a frame is shown")
    parser.set_defaults(run=sheet)
    return parser


def _add_again(choices: _Choices) -> argparse.ArgumentParser:
    parser = choices.add_parser("again", help="paint a picture again from the recipe in its PNG")
    parser.add_argument("file", type=Path, metavar="PNG")
    parser.add_argument("--seed", type=int, help="another seed")
    parser.add_argument("--vary", type=float, help="variations of it, 0 to 1")
    parser.add_argument("--strength", type=float, help="go on from the picture, 0 to 1")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the PNGs")
    parser.set_defaults(run=again)
    return parser


def generate(arguments: argparse.Namespace, say: Say) -> int:
    fields = generation_fields(arguments) | {"count": arguments.count}
    GenerateRequest(**fields)  # says what is wrong before a service is started
    folder = _writable(arguments.out)
    with connect(arguments) as client:
        request = GenerateRequest(**fields, **inpainting_fields(arguments, client))
        outcome = workflows.paint(client, request, run_job)
    _save(outcome, folder, _stem(request.prompt), say)
    return 0


def explore(arguments: argparse.Namespace, say: Say) -> int:
    request = GenerateRequest(**generation_fields(arguments), explore=_grid(arguments))
    folder = _writable(arguments.out)
    with connect(arguments) as client:
        outcome = workflows.paint(client, request, run_job)
    stem = f"{_stem(request.prompt)}-{arguments.what}"
    assert outcome.sheet is not None, "a grid comes with its picture"
    _save(outcome, folder, stem, say)
    return 0


def _grid(arguments: argparse.Namespace) -> Explore:
    (name, usual), *others = _GRIDS[arguments.what]
    across = Axis(name=name, values=arguments.across or list(usual))
    if not others and arguments.down:
        raise InvalidRequest(f"There is nothing to go down with {name}: give --across only.")
    down = [Axis(name=other, values=arguments.down or list(values)) for other, values in others]
    return Explore(across=across, down=down[0] if down else None)


def sheet(arguments: argparse.Namespace, say: Say) -> int:
    fields = generation_fields(arguments) | {"transparent": True}
    request = GenerateRequest(**fields, poses=arguments.poses, count=arguments.count)
    folder = _writable(arguments.out)
    with connect(arguments) as client:
        outcome = workflows.paint(client, request, run_job)
    for line in write_sheet(outcome, folder, _stem(request.prompt), arguments):
        say(line)
    return 0


def write_sheet(
    outcome: Outcome, folder: Path, stem: str, arguments: argparse.Namespace
) -> list[str]:
    """Write the sheet with its atlas, the frames one by one, and all as layers; gives the paths."""
    assert outcome.sheet is not None, "poses come with their sheet"
    names = _frame_names(outcome.paintings)
    image = _free(folder / f"{stem}-sheet.png")
    outcome.sheet.save(image)
    atlas = make_atlas(
        names,
        outcome.paintings[0].image.size,
        outcome.columns,
        image=image.name,
        style=arguments.atlas,
        frame_ms=arguments.frame_ms,
    )
    described = image.with_suffix(".json")
    described.write_text(json.dumps(atlas, indent=1), "utf-8")
    layers = [Layer(n, p.image) for n, p in zip(names, outcome.paintings, strict=True)]
    document = image.with_suffix(".ora")
    # Krita makes an animated layer of a group, its lowest layer the first frame.
    write_document(document, [Group(stem, tuple(layers))], outcome.paintings[0].image.size)
    frames = []
    for number, painting in enumerate(outcome.paintings):
        frames.append(folder / f"{image.stem}-{number:03}.png")
        save_png(painting.image, frames[-1], painting.made_by.recipe)
    return [str(path) for path in (image, described, document, *frames)]


def _frame_names(paintings: Sequence[Painting]) -> list[str]:
    """A pose and a number, which counts the frames of that pose."""
    names: list[str] = []
    for painting in paintings:
        label = painting.made_by.label
        number = sum(name.rpartition(" ")[0] == label for name in names)
        names.append(f"{label} {number}")
    return names


def again(arguments: argparse.Namespace, say: Say) -> int:
    recipe = read_parameters(arguments.file)
    changes: dict[str, Any] = {"count": arguments.count}
    if arguments.seed is not None:
        changes["seed"] = arguments.seed
    if arguments.vary is not None:
        changes |= {"variation_strength": arguments.vary, "variation_seed": recipe.request.seed + 1}
    folder = _writable(arguments.out)
    with connect(arguments) as client:
        if arguments.strength is not None:
            picture = client.upload(read_image(arguments.file))
            changes |= {"init_image": picture, "strength": arguments.strength, "mask": None}
            changes |= {"width": 0, "height": 0, "patch": False}
        fields = {name: getattr(recipe.request, name) for name in GenerateRequest.model_fields}
        outcome = workflows.paint(client, GenerateRequest(**fields | changes), run_job)
    _save(outcome, folder, _stem(recipe.request.prompt), say)
    return 0


def _save(outcome: Outcome, folder: Path, stem: str, say: Say) -> None:
    if outcome.sheet is not None:
        path = _free(folder / f"{stem}.png")
        outcome.sheet.save(path)
        say(str(path))
    for painting in outcome.paintings:
        label = painting.made_by.label or f"{painting.made_by.seed}"
        path = _free(folder / f"{stem}-{_slug(label)}.png")
        save_png(painting.image, path, painting.made_by.recipe)
        say(str(path))
    for warning in outcome.warnings:
        say(f"Note: {warning}")


def _stem(prompt: str) -> str:
    return _slug(prompt)[:_LONGEST_STEM] or "picture"


def _slug(text: str) -> str:
    return re.sub(r"[^\w.]+", "-", text).strip("-.")


def _writable(folder: Path) -> Path:
    """Make the folder before the work, not after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRequest(
            f"{folder} cannot be made ({error.strerror}). Name another folder with --out."
        ) from None
    if not os.access(folder, os.W_OK):
        raise InvalidRequest(f"{folder} cannot be written. Name another folder with --out.")
    return folder


def _free(path: Path) -> Path:
    """Give the path, or one with a number if there is such a file already."""
    number, free = 2, path
    while free.exists():
        free = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return free
