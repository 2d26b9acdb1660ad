"""Choose in how many bits a FLUX.2's transformer is held, by the free memory of a graphics card.

Eight bits are torchao's, whose weights are rounded row by row and multiplied in bf16; four are
bitsandbytes' NF4 (Dettmers et al. 2023), which runs on graphics cards alone. Both save memory, not
time: each product first restores its weights.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import BitsAndBytesConfig, TorchAoConfig

from modelsheet.errors import OutOfMemory

_GIB = 1 << 30
# Free memory that learning at 512 px takes, activations computed twice: what the makers of other
# trainers measured for this model (SimpleTuner, musubi-tuner), not we.
_ROOM = {16: 13 * _GIB, 8: int(8.5 * _GIB), 4: 6 * _GIB}
_LIBRARIES = {8: "torchao", 4: "bitsandbytes"}


@dataclass(frozen=True)
class Precision:
    """Bits of a transformer's weight, and a sentence on what fewer than 16 cost, "" otherwise."""

    bits: int
    note: str = ""


def choose_precision(device: torch.device) -> Precision:
    """Return the most bits that fit, 16 on a processor. Raises OutOfMemory: a library lacks."""
    if device.type != "cuda":
        return Precision(16)
    free, _ = torch.cuda.mem_get_info(device)
    return precision_for(free, {name for name in _LIBRARIES.values() if _is_installed(name)})


def precision_for(free_bytes: int, installed: Collection[str]) -> Precision:
    """Return the most bits for so much free memory, of those whose library is installed.

    Raises OutOfMemory: 16 do not fit, and no library is installed.
    """
    if free_bytes >= _ROOM[16]:
        return Precision(16)
    usable = [bits for bits, library in _LIBRARIES.items() if library in installed]
    free = f"{free_bytes / _GIB:.1f}"
    if not usable:
        raise OutOfMemory(
            f"The graphics card has {free} GiB free, and this base model takes "
            f"{_ROOM[16] // _GIB}. Close other programs that use the card, or install the "
            "libraries that hold it in fewer bits, with: pip install torchao bitsandbytes"
        )
    bits = next((each for each in usable if free_bytes >= _ROOM[each]), usable[-1])
    note = (
        f"The graphics card has {free} GiB free, so that the base model is held in {bits} bits: a "
        "step takes two to four times as long as with all 16."
    )
    return Precision(bits, note)


def quantization_config(bits: int) -> Any | None:
    """Return diffusers' quantization_config of a transformer, None for 16 bits."""
    makers: dict[int, Callable[[], Any]] = {8: _eight_bits, 4: _four_bits}
    return makers[bits]() if bits in makers else None


def _eight_bits() -> TorchAoConfig:
    # Optional, and without annotations: most cards need none of it.
    quantization = importlib.import_module("torchao.quantization")
    return TorchAoConfig(quantization.Int8WeightOnlyConfig())


def _four_bits() -> BitsAndBytesConfig:
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.bfloat16,
        bnb_4bit_use_double_quant=True,
    )


def _is_installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None
