"""Find the graphics card, and say which PyTorch that means and how large it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .platforms import Platform
from .runner import ProgramFailed, Runner

# Megabytes of PyTorch to download, with what it brings; gigabytes of the disk that all needs.
_TORCH_MB = {"cpu": 190, "cuda": 3000, "rocm": 5000}
_DISK_GB = {"cpu": 3, "cuda": 9, "rocm": 20}
_PACKAGES_MB = 130


@dataclass(frozen=True)
class GraphicsCard:
    """`accelerator` is cpu, cuda or rocm and names PyTorch's build; `name` may be empty."""

    accelerator: str
    name: str = ""

    @property
    def title(self) -> str:
        """The card's name with what computes on it: "NVIDIA RTX 4070 (cuda)"."""
        return f"{self.name} ({self.accelerator})" if self.name else self.accelerator

    @property
    def packages_mb(self) -> int:
        return _PACKAGES_MB

    @property
    def torch_mb(self) -> int:
        return _TORCH_MB[self.accelerator]

    @property
    def disk_gb(self) -> int:
        return _DISK_GB[self.accelerator]


def detect(
    platform: Platform, runner: Runner, *, kernel_driver: Path = Path("/dev/kfd")
) -> GraphicsCard:
    """Return the card for which PyTorch has a build, else the processor.

    `kernel_driver` is there where AMD's cards can compute.
    """
    names = _nvidia_cards(platform, runner)
    if names:
        return GraphicsCard("cuda", names[0])
    has_rocm = platform.which("rocminfo") or Path("/opt/rocm").is_dir()
    if platform.system == "linux" and kernel_driver.exists() and has_rocm:
        return GraphicsCard("rocm", "AMD")
    if platform.system == "darwin" and platform.architecture == "arm64":
        return GraphicsCard("cpu", "Apple")
    return GraphicsCard("cpu")


def _nvidia_cards(platform: Platform, runner: Runner) -> list[str]:
    program = platform.which("nvidia-smi")
    if program is None or platform.system == "darwin":
        return []
    try:
        listed = runner.output([program, "-L"])
    except (ProgramFailed, OSError):
        return []
    return [name.strip() for name in re.findall(r"^GPU \d+: ([^(\n]+)", listed, re.MULTILINE)]
