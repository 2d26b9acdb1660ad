"""Seamless tiling: images whose left edge continues at the right, and whose top at the bottom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from modelsheet.diffusion.models.base_model import BaseModel


@contextmanager
def circular_padding(base: BaseModel) -> Iterator[None]:
    """Pad the convolutions of denoiser and autoencoder circularly until the block ends."""
    convolutions = [
        module
        for network in (base.denoiser, base.vae)
        for module in network.modules()
        if isinstance(module, torch.nn.Conv2d)
    ]
    modes = [module.padding_mode for module in convolutions]
    try:
        for module in convolutions:
            module.padding_mode = "circular"
        yield
    finally:
        for module, mode in zip(convolutions, modes, strict=True):
            module.padding_mode = mode
