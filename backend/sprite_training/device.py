"""Select the training device and precision: the same code runs on a CPU and on CUDA."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch

from modelsheet.diffusion.families.stable_diffusion.precision import bf16_speedup


@dataclass(frozen=True)
class Accelerator:
    """A training device, with bf16 autocast where that is faster (1.3 to 2 times on CUDA and on
    processors with instructions for it).
    """

    device: torch.device
    scale: int  # batch size relative to that on a CPU

    @classmethod
    def detect(cls) -> Accelerator:
        """Select CUDA where there is a GPU, with TF32 and cuDNN's autotuner; else the CPU."""
        if torch.cuda.is_available():
            torch.backends.cuda.matmul.allow_tf32 = True
            torch.backends.cudnn.allow_tf32 = True
            torch.backends.cudnn.benchmark = True
            return cls(torch.device("cuda"), scale=16)
        return cls(torch.device("cpu"), scale=1)

    @property
    def is_cuda(self) -> bool:
        return self.device.type == "cuda"

    def autocast(self) -> AbstractContextManager[None]:
        """Return the autocast context; on a CPU bf16 is timed once in a process."""
        enabled = self.is_cuda or bf16_speedup() > 1.0
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def move(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self.device, non_blocking=True)

    def prepare(self, module: Any) -> Any:
        """Move a module of diffusers or transformers, which are untyped, to the device."""
        return module.to(self.device, memory_format=torch.channels_last)
