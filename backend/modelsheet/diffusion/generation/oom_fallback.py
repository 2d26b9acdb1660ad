"""What to give up when the device's memory does not suffice: rung by rung, and said each time."""

from __future__ import annotations

import logging

import torch

from modelsheet.diffusion.models.base_model import BaseModel

_log = logging.getLogger(__name__)
_AT_ONCE = 8


class MemoryLadder:
    """Stays where it came to as long as its base is in memory; `said` are the sentences so far."""

    def __init__(self, base: BaseModel) -> None:
        self._base = base
        self._is_sliced = False
        self.pictures_at_once = _AT_ONCE
        self.said: list[str] = []

    def descend(self) -> bool:
        """Ask for less memory from now on; False when there is nothing left to give up."""
        if self._base.device.type == "cuda":
            torch.cuda.empty_cache()
        if self.pictures_at_once > 1:
            self.pictures_at_once //= 2
            self._say(
                f"The graphics card's memory was short: {self.pictures_at_once} at once were "
                "painted, which is slower."
            )
            return True
        if not self._is_sliced:
            self._is_sliced = True
            self._base.vae.enable_slicing()
            self._base.vae.enable_tiling()
            self._base.pipeline.enable_attention_slicing()
            self._say(
                "The graphics card's memory was short: attention and decoding went on in parts, "
                "which is slower and may show faint seams."
            )
            return True
        return False

    def _say(self, sentence: str) -> None:
        _log.warning("%s", sentence)
        self.said = [sentence]
