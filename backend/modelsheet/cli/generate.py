"""Commands generate, explore, sheet and again: generate images and save them as PNG."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from PIL import Image

from modelsheet.api.explore import Axis, AxisName, Explore
from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GeneratedImage, GenerateResult
from modelsheet.cli.connect import Say, connect
from modelsheet.cli.generate_options import (
    add_generation_options,
    add_inpainting_options,
    generation_fields,
    inpainting_fields,
)
from modelsheet.cli.progress import run_job
from modelsheet.client import workflows
from modelsheet.client.client import BackendClient
from modelsheet.errors import InvalidRequest
from modelsheet.imaging.contact_sheet import draw_sprite_sheet
from modelsheet.imaging.openraster import Group, Layer, write_document
from modelsheet.imaging.png_metadata import read_parameters, save_png
from modelsheet.imaging.rgba import read_image
from modelsheet.imaging.sprite_atlas import ATLAS_FORMATS, make_atlas
from modelsheet.subjects.handles import is_word_character

_LONGEST_STEM = 60
_SCALES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_Choices: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

# Axes of the explore command with their default values: across the grid, and down.
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
    """Add the commands to the parser; `add_server` adds the options that name the service."""
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
    parser.add_argument(
        "--padding",
        type=int,
        choices=range(65),
        default=0,
        metavar="PX",
        help="transparent px around each frame, so that game engines do not mix neighbours",
    )
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
    """Generate images and save each with its parameters."""
    fields = generation_fields(arguments) | {"count": arguments.count}
    GenerateRequest(**fields)  # validates before a service is started
    folder = writable_folder(arguments.out)
    with connect(arguments) as client:
        request = GenerateRequest(**fields, **inpainting_fields(arguments, client))
        _generate_and_save(client, request, folder, _file_stem(request.prompt), say)
    return 0


def explore(arguments: argparse.Namespace, say: Say) -> int:
    """Generate a grid of images and its contact sheet."""
    request = GenerateRequest(**generation_fields(arguments), explore=_grid(arguments))
    folder = writable_folder(arguments.out)
    with connect(arguments) as client:
        stem = f"{_file_stem(request.prompt)}-{arguments.what}"
        _generate_and_save(client, request, folder, stem, say)
    return 0


def _grid(arguments: argparse.Namespace) -> Explore:
    (name, usual), *others = _GRIDS[arguments.what]
    across = Axis(name=name, values=arguments.across or list(usual))
    if not others and arguments.down:
        raise InvalidRequest(f"There is nothing to go down with {name}: give --across only.")
    down = [Axis(name=other, values=arguments.down or list(values)) for other, values in others]
    return Explore(across=across, down=down[0] if down else None)


def sheet(arguments: argparse.Namespace, say: Say) -> int:
    """Generate the frames of poses and save them as a sprite sheet with an atlas."""
    fields = generation_fields(arguments) | {"transparent": True}
    request = GenerateRequest(**fields, poses=arguments.poses, count=arguments.count)
    folder = writable_folder(arguments.out)
    with connect(arguments) as client:
        result = workflows.generate(client, request, run_job)
        frames = workflows.fetch_images(client, result)
        assert result.sheet is not None, "poses have a sheet"
        sprite_sheet = client.fetch_image(result.sheet)
    for path in write_sheet(
        result, frames, sprite_sheet, folder / _file_stem(request.prompt), arguments
    ):
        say(path)
    _say_warnings(result, say)
    return 0


def write_sheet(
    result: GenerateResult,
    frames: Sequence[Image.Image],
    sprite_sheet: Image.Image,
    target: Path,
    arguments: argparse.Namespace,
) -> list[str]:
    """Write sprite sheet, atlas, OpenRaster document and single frames, and return their paths.

    `target` is their common path without suffix.
    """
    names = _frame_names(result.images)
    image = _unused_path(target.with_name(f"{target.name}-sheet.png"))
    if arguments.padding:
        sprite_sheet = draw_sprite_sheet(frames, result.columns, arguments.padding)
    sprite_sheet.save(image)
    atlas = make_atlas(
        names,
        frames[0].size,
        result.columns,
        image=image.name,
        style=arguments.atlas,
        frame_ms=arguments.frame_ms,
        padding=arguments.padding,
    )
    atlas_file = image.with_suffix(".json")
    atlas_file.write_text(json.dumps(atlas, indent=1), "utf-8")
    layers = [Layer(name, frame) for name, frame in zip(names, frames, strict=True)]
    document = image.with_suffix(".ora")
    # Krita makes an animated layer of a group, its lowest layer the first frame.
    write_document(document, [Group(target.name, tuple(layers))], frames[0].size)
    paths = []
    for number, (frame, generated) in enumerate(zip(frames, result.images, strict=True)):
        paths.append(target.with_name(f"{image.stem}-{number:03}.png"))
        save_png(frame, paths[-1], generated.recipe)
    return [str(path) for path in (image, atlas_file, document, *paths)]


def _frame_names(images: Sequence[GeneratedImage]) -> list[str]:
    """Name each frame by its pose and its number among that pose's frames."""
    names: list[str] = []
    for image in images:
        number = sum(name.rpartition(" ")[0] == image.label for name in names)
        names.append(f"{image.label} {number}")
    return names


def again(arguments: argparse.Namespace, say: Say) -> int:
    """Generate an image again from the parameters in its PNG, with the changes asked for."""
    request = read_parameters(arguments.file).request
    changes: dict[str, Any] = {"count": arguments.count}
    if arguments.seed is not None:
        changes["seed"] = arguments.seed
    if arguments.vary is not None:
        changes |= {"variation_strength": arguments.vary, "variation_seed": request.seed + 1}
    folder = writable_folder(arguments.out)
    with connect(arguments) as client:
        if arguments.strength is not None:
            init_image = client.upload(read_image(arguments.file))
            changes |= {"init_image": init_image, "strength": arguments.strength, "mask": None}
            changes |= {"width": 0, "height": 0, "patch": False}
        fields = {name: getattr(request, name) for name in GenerateRequest.model_fields}
        changed = GenerateRequest(**fields | changes)
        _generate_and_save(client, changed, folder, _file_stem(request.prompt), say)
    return 0


def _generate_and_save(
    client: BackendClient, request: GenerateRequest, folder: Path, stem: str, say: Say
) -> None:
    """Generate images, save the contact sheet of a grid and each image, and print the paths."""
    result = workflows.generate(client, request, run_job)
    images = workflows.fetch_images(client, result)
    if result.sheet is not None:
        path = _unused_path(folder / f"{stem}.png")
        client.fetch_image(result.sheet).save(path)
        say(str(path))
    for image, generated in zip(images, result.images, strict=True):
        label = generated.label or f"{generated.seed}"
        path = _unused_path(folder / f"{stem}-{_slug(label)}.png")
        save_png(image, path, generated.recipe)
        say(str(path))
    _say_warnings(result, say)


def _say_warnings(result: GenerateResult, say: Say) -> None:
    for warning in result.warnings:
        say(f"Note: {warning}")


def _file_stem(prompt: str) -> str:
    return _slug(prompt)[:_LONGEST_STEM] or "picture"


def _slug(text: str) -> str:
    kept = "".join(each if each == "." or is_word_character(each) else "-" for each in text)
    return re.sub("-+", "-", kept).strip("-.")


def writable_folder(folder: Path) -> Path:
    """Create the folder before the job starts. Raises InvalidRequest: it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRequest(
            f"{folder} cannot be made ({error.strerror}). Name another folder with --out."
        ) from None
    if not os.access(folder, os.W_OK):
        raise InvalidRequest(f"{folder} cannot be written. Name another folder with --out.")
    return folder


def _unused_path(path: Path) -> Path:
    """Return the path, with a number if the file exists already."""
    number, unused = 2, path
    while unused.exists():
        unused = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return unused
