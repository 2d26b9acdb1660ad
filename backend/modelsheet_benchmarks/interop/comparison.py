"""Load one file by one program and compare ΔW with the file's own:
`python -m modelsheet_benchmarks.interop.comparison PROGRAM PATH FILE FAMILY`.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

import torch

from modelsheet.lora.reader import LoraFile, read_lora
from modelsheet_benchmarks.console import print_line
from modelsheet_benchmarks.interop.base_modules import key_layout
from modelsheet_benchmarks.interop.loaded import Loaded, LoraToLoad

FamilyOfExport = Literal["sd15", "sdxl", "flux2-klein"]
_PACKAGE = "modelsheet_benchmarks.interop"
# The file that tells a program's checkout, and what loads a LoRA by its code.
PROGRAMS: Mapping[str, tuple[str, str]] = {
    "sd-scripts": ("networks/lora.py", "kohya_scripts:load"),
    "ComfyUI": ("comfy/lora.py", "comfyui:load"),
    "Forge": ("backend/patcher/lora.py", "comfyui:load_in_forge"),
    "A1111": ("extensions-builtin/Lora/networks.py", "a1111:load"),
    "diffusers": ("", "diffusers_loader:load"),
}


@dataclass(frozen=True)
class Comparison:
    """Number of keys loaded, those unmatched, and the largest difference of ΔW, relative to the
    largest number in its layer. A layer that is not loaded differs by 1.
    """

    keys: int
    unmatched: list[str]
    difference: float


def compare(program: str, path: Path, file: Path, family: FamilyOfExport) -> Comparison:
    """Load a file by a program at a path, and compare it with what the file says."""
    layout = key_layout(family)
    expected = read_lora(file.read_bytes(), layout, file.name)
    module, _, function = PROGRAMS[program][1].partition(":")
    load: Callable[[Path, LoraToLoad], Loaded] = getattr(
        importlib.import_module(f"{_PACKAGE}.{module}"), function
    )
    with torch.inference_mode():
        loaded = load(path, LoraToLoad(file, family, layout))
        difference = largest_difference(expected, loaded)
    return Comparison(loaded.keys, list(loaded.unmatched), difference)


def largest_difference(expected: LoraFile, loaded: Loaded) -> float:
    """Return the largest difference of ΔW in any layer, 1 where a layer is missing."""
    missing = set(expected.factors)
    largest = 0.0
    for key, delta in loaded.deltas:
        missing.discard(key)
        ours = torch.from_numpy(expected.factors[key].up @ expected.factors[key].down)
        distance = (delta.float().reshape(ours.shape) - ours).abs().max() / ours.abs().max()
        largest = max(largest, float(distance))
    return 1.0 if missing else largest


if __name__ == "__main__":
    program, path, file, family = sys.argv[1:]
    answer = compare(program, Path(path), Path(file), cast(FamilyOfExport, family))
    print_line(json.dumps(asdict(answer)))
