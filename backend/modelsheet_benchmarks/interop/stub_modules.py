"""Stand in for the parts of another program that its LoRA loader imports and does not use here:
graphics card, web page, other models.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from typing import Any

import torch


class _Stub(types.ModuleType):
    """A module that has every name, as a class of its own without content."""

    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name.islower():  # a module below it, by its usual case
            return importlib.import_module(f"{self.__name__}.{name}")
        value = type(name, (), {})
        setattr(self, name, value)
        return value


class _StubFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if any(name == each or name.startswith(f"{each}.") for each in self._names):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Stub(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Leave the module empty."""


def stub_modules(*names: str) -> None:
    """Make modules of these names, and below them, empty ones from now on."""
    sys.meta_path.insert(0, _StubFinder(names))


def cast_to_device(
    tensor: torch.Tensor, device: torch.device, dtype: torch.dtype, *_: object, **__: object
) -> torch.Tensor:
    """Do what the memory managers of ComfyUI and Forge do, on a CPU."""
    return tensor.to(device=device, dtype=dtype)
