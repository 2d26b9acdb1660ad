"""Choose the build of PyTorch for a graphics card among those that the indexes offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

from .errors import NoTorchBuild

TORCH_VERSION = "2.13.0"
_SITE = "https://download.pytorch.org/whl"
_INDEXES = {
    "cpu": ("cpu",),
    "cuda": ("cu130", "cu128"),
    "rocm": ("rocm7.2", "rocm7.1", "rocm7.0", "rocm6.4"),
}
# The build that pip would take with these options, like 2.13.0+cpu; None where there is none.
Offer = Callable[[Sequence[str]], "str | None"]


@dataclass(frozen=True)
class TorchBuild:
    """A build, pip's options to find it, and whether it was made for the accelerator."""

    version: str
    options: tuple[str, ...]
    is_fit: bool = True


def choose(accelerator: str, system: str, offer: Offer) -> TorchBuild:
    """Return the build to install: what pip is set up to use first, then PyTorch's own indexes.

    Raises NoTorchBuild: none is within reach for a graphics card.
    """
    build = offer(())
    if suits(build, accelerator, system):
        return TorchBuild(str(build), ())
    for name in _INDEXES[accelerator]:
        index = f"{_SITE}/{name}"
        build = offer(("--retries", "1", "--timeout", "15", "--index-url", index))
        if suits(build, accelerator, system):
            return TorchBuild(str(build), ("--extra-index-url", index))
    if accelerator != "cpu":
        raise NoTorchBuild(
            f"There is no PyTorch {TORCH_VERSION} for {accelerator} within reach. Check the "
            "network, then try again."
        )
    return TorchBuild(TORCH_VERSION, (), is_fit=False)


def suits(build: str | None, accelerator: str, system: str) -> bool:
    """Tell whether a build is one for the accelerator."""
    if not build:
        return False
    label = build.partition("+")[2]
    if accelerator == "cuda":
        return not label.startswith(("cpu", "rocm"))
    if accelerator == "rocm":
        return label.startswith("rocm")
    # PyPI's build for Linux brings CUDA; those for macOS and Windows do not.
    return label == "cpu" or (not label and system in ("darwin", "win32"))
