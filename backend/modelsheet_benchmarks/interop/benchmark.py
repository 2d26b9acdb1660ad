"""`modelsheet bench interop PATHS…`: exported LoRA files, loaded by other programs' own code.

Each path is a checkout of kohya's sd-scripts, ComfyUI, A1111 or Forge; the installed diffusers is
always tried. Nothing is downloaded. The base models are of their true size, without numbers.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from modelsheet.errors import InvalidRequest
from modelsheet.lora.diffusers_writer import write_diffusers
from modelsheet.lora.factors import LoraFactors
from modelsheet.lora.key_mapping import TRANSFORMER, UNET, KeyLayout
from modelsheet.lora.kohya_writer import LoraMetadata, write_kohya
from modelsheet.lora.layer_shapes import LayerKey
from modelsheet_benchmarks.console import print_line
from modelsheet_benchmarks.interop.base_modules import key_layout
from modelsheet_benchmarks.interop.comparison import PROGRAMS, Comparison, FamilyOfExport

_RANK = 4
_DIFFUSERS = "diffusers"
_OF_STABLE_DIFFUSION = ("attention, text", "attention, text, convolutions")
_LAYERS: Mapping[FamilyOfExport, tuple[str, str]] = {  # of the smaller file and the larger one
    "sd15": _OF_STABLE_DIFFUSION,
    "sdxl": _OF_STABLE_DIFFUSION,
    "flux2-klein": ("attention", "attention, feed-forward"),
}
_TOLERANCE = 2e-3  # relative; rounding to fp16 comes to 1e-3


@dataclass(frozen=True)
class Export:
    """One exported file: which layers are learnt and in which format."""

    family: FamilyOfExport
    format: str
    more: bool

    @property
    def name(self) -> str:
        least, most = _LAYERS[self.family]
        return f"{self.family} {self.format} ({most if self.more else least})"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the benchmark's options to its parser."""
    parser.add_argument(
        "paths", type=Path, nargs="*", metavar="PATH", help="checkouts of the programs"
    )
    parser.add_argument("--family", choices=get_args(FamilyOfExport), help="(default: each)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print a row for each program and file; 1 where a key is left over or ΔW differs."""
    programs = [(program_of(path), path.absolute()) for path in options.paths]
    families = [options.family] if options.family else list(get_args(FamilyOfExport))
    print_line("| program | file | keys loaded | unmatched | largest difference of ΔW |")
    print_line("|---|---|---|---|---|")
    is_right = True
    with tempfile.TemporaryDirectory() as folder:
        for export in _exports(families):
            file = Path(folder) / "exported.safetensors"
            file.write_bytes(_write(export))
            for program, path in [(_DIFFUSERS, Path()), *programs]:
                if not _can_load(program, export):
                    continue
                answer = _load(program, path, file, export.family)
                is_right &= not answer.unmatched and answer.difference < _TOLERANCE
                print_line(
                    f"| {program} | {export.name} | {answer.keys} | {len(answer.unmatched)} |"
                    f" {answer.difference:.0e} |"
                )
    return 0 if is_right else 1


def _can_load(program: str, export: Export) -> bool:
    if program == _DIFFUSERS:
        return True
    return export.format != _DIFFUSERS and (export.family != "flux2-klein" or program == "ComfyUI")


def program_of(path: Path) -> str:
    """Recognise a program by a file of its own. Raises InvalidRequest: none is known there."""
    for name, (mark, _) in PROGRAMS.items():
        if mark and (path / mark).is_file():
            return name
    known = ", ".join(name for name, (mark, _) in PROGRAMS.items() if mark)
    raise InvalidRequest(f"{path} is a checkout of none of these: {known}. Check the path.")


def _exports(families: list[FamilyOfExport]) -> Iterator[Export]:
    for family in families:
        for file_format in ("kohya", _DIFFUSERS):
            for more in (False, True):
                yield Export(family, file_format, more)


def _write(export: Export) -> bytes:
    """Return a file of random factors for the layers that such a subject learns."""
    layout = key_layout(export.family)
    factors = dict(random_factors(layout, more=export.more))
    if export.format == _DIFFUSERS:
        return write_diffusers(factors, layout, {})
    metadata = LoraMetadata("hero", "hero", "rjv", "human", export.family, 512, 400, 5, 0, 0.0)
    return write_kohya(factors, layout, metadata)


def random_factors(layout: KeyLayout, *, more: bool) -> Iterator[tuple[LayerKey, LoraFactors]]:
    """Yield factors of rank 4 for the layers of attention, and for `more`: a UNet's convolutions
    in ResNets, a transformer's feed-forward layers.
    """
    generator = np.random.default_rng(7)
    for key, shape in layout.shapes.items():
        if _is_attention(key) or (more and _is_other(key)):
            up = generator.normal(0, 0.02, (shape.rows, _RANK)).astype(np.float32)
            down = generator.normal(0, 0.02, (_RANK, shape.fan_in)).astype(np.float32)
            yield key, LoraFactors(up, down)


def _is_attention(key: LayerKey) -> bool:
    if key.component == UNET:
        return ".attentions." in key.path
    return ".attn." in key.path or ".layers." in key.path


def _is_other(key: LayerKey) -> bool:
    if key.component == UNET:
        return ".resnets." in key.path and ".conv" in key.path
    return key.component == TRANSFORMER and ".ff" in key.path


def _load(program: str, path: Path, file: Path, family: FamilyOfExport) -> Comparison:
    """Load a file in a process of its own, for the programs' modules have equal names."""
    command = [sys.executable, "-m", "modelsheet_benchmarks.interop.comparison"]
    command += [program, str(path), str(file), family]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print_line(done.stderr)
        return Comparison(0, ["everything"], math.nan)
    return Comparison(**json.loads(done.stdout.splitlines()[-1]))
