"""Fall back to smaller batches, then to sliced attention and decoding, when the device runs out of
memory.
"""

from __future__ import annotations

import logging

import torch

from modelsheet.diffusion.models.base_model import BaseModel

_log = logging.getLogger(__name__)
_BATCH_SIZE = 8


class OomFallback:
    """Batch size and slicing of one base; kept as long as it is in memory. `warnings` holds the
    last sentence for the user.
    """

    def __init__(self, base: BaseModel) -> None:
        self._base = base
        self._is_sliced = False
        self.batch_size = _BATCH_SIZE
        self.warnings: list[str] = []

    def reduce_memory(self) -> bool:
        """Need less memory from now on; False when nothing is left to reduce."""
        if self._base.device.type == "cuda":
            torch.cuda.empty_cache()
        if self.batch_size > 1:
            self.batch_size //= 2
            self._warn(
                f"The graphics card's memory was short: {self.batch_size} at once were "
                "painted, which is slower."
            )
            return True
        if not self._is_sliced:
            self._is_sliced = True
            self._base.vae.enable_slicing()
            self._base.vae.enable_tiling()
            self._base.pipeline.enable_attention_slicing()
            self._warn(
                "The graphics card's memory was short: attention and decoding went on in parts, "
                "which is slower and may show faint seams."
            )
            return True
        return False

    def _warn(self, sentence: str) -> None:
        _log.warning("%s", sentence)
        self.warnings = [sentence]
