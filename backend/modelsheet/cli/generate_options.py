"""Options of the commands that generate images, and the request fields they set."""

from __future__ import annotations

import argparse
import secrets
from pathlib import Path
from typing import Any, Literal, get_args

from PIL import Image

from modelsheet.api.generate import (
    CutoutMethod,
    GenerateRequest,
    PixelArt,
    Region,
    SamplerName,
    SubjectsBy,
)
from modelsheet.client.client import BackendClient
from modelsheet.errors import InvalidRequest
from modelsheet.imaging.palettes import format_hex_colour, read_palette
from modelsheet.imaging.rgba import composite, read_image
from modelsheet.prompts.syntax import check_syntax

_SAMPLERS: dict[str, SamplerName] = {name.casefold(): name for name in get_args(SamplerName)}


def add_generation_options(parser: argparse.ArgumentParser) -> None:
    """Add the options common to all commands that generate images."""
    default = GenerateRequest(prompt="default")
    parser.add_argument("prompt", help='for example "@hero holding sword"')
    parser.add_argument("--negative", default="", help="what the pictures shall not show")
    parser.add_argument("--base", default=None, help="base model; the subject's if left out")
    parser.add_argument(
        "--seed", type=_seed, default=default.seed, help="-1 for a random one (%(default)s)"
    )
    for name in ("width", "height"):
        parser.add_argument(f"--{name}", type=int, default=getattr(default, name))
    parser.add_argument("--sampler", help=f"one of: {', '.join(_SAMPLERS.values())}")
    parser.add_argument("--steps", type=int, help="the sampler's usual if left out")
    parser.add_argument("--guidance", type=float, help="the base model's usual if left out")
    parser.add_argument("--unet-scale", type=float, default=default.unet_scale)
    parser.add_argument("--text-encoder-scale", type=float, default=default.text_encoder_scale)
    parser.add_argument(
        "--subjects-by",
        choices=get_args(SubjectsBy),
        default=default.subjects_by,
        help="what paints them, where the base model takes references (%(default)s)",
    )
    parser.add_argument("--transparent", action="store_true", help="cut the figure out")
    parser.add_argument("--cutout", choices=get_args(CutoutMethod), help="how to cut it out (auto)")
    parser.add_argument("--tiling", action="store_true", help="edges that go on at the other side")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the PNGs")
    _add_pixel_art(parser)


def _seed(given: str) -> int:
    """Return the seed, a random one for -1, as other programs have it. Raises ValueError."""
    seed = int(given)
    return secrets.randbelow(2**32) if seed == -1 else seed


def _add_pixel_art(parser: argparse.ArgumentParser) -> None:
    default = PixelArt()
    art = parser.add_argument_group("pixel art; any of these asks for it")
    art.add_argument(
        "--pixel-art",
        action=argparse.BooleanOptionalAction,
        help="whole pixels, few colours, no halo; left out, as the subject's layers are",
    )
    art.add_argument("--colours", type=int, help=f"most colours (default: {default.colours})")
    art.add_argument("--palette", help="subject, both, or a .gpl, .kpl, .hex, .pal or .png file")
    art.add_argument("--pixel-size", type=int, help="px of one painted pixel; found if left out")
    art.add_argument("--enlarge", type=int, help="make each pixel a square of so many")


def add_inpainting_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for image-to-image, inpainting, regions and variations."""
    parser.add_argument(
        "--reference",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a picture of what to paint, up to 8; nothing need be learnt",
    )
    into = parser.add_argument_group("into a picture")
    into.add_argument("--from", dest="init", type=Path, metavar="FILE", help="begin with it")
    into.add_argument("--strength", type=float, help="how much of it may change, 0 to 1")
    into.add_argument("--mask", type=Path, metavar="FILE", help="paint only where this is white")
    into.add_argument("--patch", action="store_true", help="give only what is inside the mask")
    into.add_argument(
        "--region",
        nargs=2,
        action="append",
        default=[],
        metavar=("PROMPT", "MASK"),
        help="what stands where the mask is white; can be given again",
    )
    into.add_argument("--vary", type=float, default=0.0, help="variations of the seed, 0 to 1")
    into.add_argument("--variation-seed", type=int, default=0)


def generation_fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the GenerateRequest fields of `add_generation_options`. Raises InvalidRequest."""
    for prompt in (arguments.prompt, arguments.negative):
        check_syntax(prompt)
    return {
        "prompt": arguments.prompt,
        "negative_prompt": arguments.negative,
        "base_model": arguments.base,
        "seed": arguments.seed,
        "width": arguments.width,
        "height": arguments.height,
        "sampler": _sampler(arguments.sampler),
        "inference_steps": arguments.steps,
        "guidance_scale": arguments.guidance,
        "unet_scale": arguments.unet_scale,
        "text_encoder_scale": arguments.text_encoder_scale,
        "subjects_by": arguments.subjects_by,
        "transparent": arguments.transparent or arguments.cutout is not None,
        "cutout": arguments.cutout or "auto",
        "tiling": arguments.tiling,
        "pixel_art": _pixel_art(arguments),
    }


def inpainting_fields(arguments: argparse.Namespace, client: BackendClient) -> dict[str, Any]:
    """Upload images and masks, and return the GenerateRequest fields of `add_inpainting_options`.

    Raises InvalidImages.
    """
    fields: dict[str, Any] = {
        "strength": arguments.strength,
        "patch": arguments.patch,
        "variation_seed": arguments.variation_seed,
        "variation_strength": arguments.vary,
        "regions": [
            Region(prompt=prompt, mask=client.upload_mask(_read_mask(Path(file))))
            for prompt, file in arguments.region
        ],
    }
    if arguments.init is not None:
        fields["init_image"] = client.upload(read_image(arguments.init))
    if arguments.reference:
        fields["references"] = [client.upload(read_image(file)) for file in arguments.reference]
    if arguments.mask is not None:
        fields["mask"] = client.upload_mask(_read_mask(arguments.mask))
    return fields


def _sampler(given: str | None) -> SamplerName | None:
    if given is None:
        return None
    if given.casefold() not in _SAMPLERS:
        raise InvalidRequest(
            f"There is no sampler {given!r}. Choose one of: {', '.join(_SAMPLERS.values())}."
        )
    return _SAMPLERS[given.casefold()]


def _pixel_art(arguments: argparse.Namespace) -> PixelArt | Literal[False] | None:
    options = {
        "colours": arguments.colours,
        "palette": None if arguments.palette is None else _palette(arguments.palette),
        "pixel_size": arguments.pixel_size,
        "enlarge": arguments.enlarge,
    }
    given = {name: value for name, value in options.items() if value is not None}
    if given or arguments.pixel_art:
        return PixelArt(**given)
    return None if arguments.pixel_art is None else False


def _palette(given: str) -> str | list[str]:
    if given in ("subject", "both"):
        return given
    return [format_hex_colour(colour) for colour in read_palette(Path(given))]


def _read_mask(path: Path) -> Image.Image:
    """Read an image file as a mask of mode L: white is selected, black and transparent are not."""
    return composite(read_image(path), (0, 0, 0)).convert("L")
