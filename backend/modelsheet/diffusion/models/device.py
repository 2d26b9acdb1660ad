"""Choose the device that torch computes on: a GPU of this machine, else its CPU."""

from __future__ import annotations

import torch

from modelsheet.errors import InvalidRequest


def choose_device(wanted: str) -> torch.device:
    """Return the device of that name, as MODELSHEET_DEVICE has it; without one a GPU, else the CPU.

    Raises InvalidRequest: this machine has no such device.
    """
    present = available_devices()
    name = wanted.strip().lower()
    if not name:
        return torch.device("cuda" if "cuda" in present else "cpu")
    if name not in present:
        raise InvalidRequest(
            f"MODELSHEET_DEVICE is {wanted!r}, but PyTorch finds here only: {', '.join(present)}. "
            "Name one of these, or leave the variable unset."
        )
    return torch.device(name)


def available_devices() -> list[str]:
    """Return the names of the devices that torch can use here, such as "cpu" and "cuda:1"."""
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    cuda = ["cuda", *(f"cuda:{number}" for number in range(cards))] if cards else []
    return ["cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]
