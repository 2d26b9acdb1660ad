"""Find packages and graphics cards that the machine lacks, without importing torch, which takes
seconds.
"""

from __future__ import annotations

import shutil
from importlib import metadata

LIBRARIES = ("torch", "diffusers", "transformers", "peft", "safetensors", "flask", "uvicorn")
_CUDA_SIZE = "3 GB"  # torch and the CUDA libraries it brings


def shortcomings() -> list[str]:
    """Return a sentence for each missing requirement, with what to do about it."""
    missing = [name for name in LIBRARIES if installed_version(name) is None]
    if missing:
        return [f"{', '.join(missing)}: not installed on the backend's computer. Run ./install.sh."]
    has_card = shutil.which("nvidia-smi") is not None
    if has_card and (installed_version("torch") or "").endswith("+cpu"):
        return [
            "The backend's computer has a graphics card that its torch cannot use. "
            f"Run ./install.sh --cuda there; it downloads about {_CUDA_SIZE}."
        ]
    if has_card or shutil.which("rocminfo") is not None:
        return []
    return [
        "The backend's computer has no graphics card that torch could use: sprite32 takes minutes "
        "to learn a subject, large base models take many hours."
    ]


def installed_version(package: str) -> str | None:
    """Return a package's version, None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
