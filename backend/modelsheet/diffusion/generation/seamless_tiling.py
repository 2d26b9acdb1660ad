"""Pictures whose left edge goes on at the right, and whose top goes on at the bottom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from modelsheet.diffusion.models.base_model import BaseModel


@contextmanager
def edges_joined(base: BaseModel, wanted: bool) -> Iterator[None]:
    """Let convolutions of UNet and autoencoder look around the edge instead of past it."""
    found = [
        module
        for network in (base.unet, base.vae)
        for module in network.modules()
        if wanted and isinstance(module, torch.nn.Conv2d)
    ]
    modes = [module.padding_mode for module in found]
    try:
        for module in found:
            module.padding_mode = "circular"
        yield
    finally:
        for module, mode in zip(found, modes, strict=True):
            module.padding_mode = mode
