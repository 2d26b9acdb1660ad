"""Check that all weights of a loaded pipeline are there, and are numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from modelsheet.base_models.diffusers_folder import weights_in
from modelsheet.base_models.locate import BaseModelFiles
from modelsheet.errors import UnsafeModel
from modelsheet.files.safetensors_file import read_header

_INNER = "text_model."  # a text encoder's inner module, in the keys of some versions only


def check_no_meta_weights(pipeline: Any, parts: Sequence[str], files: BaseModelFiles) -> None:
    """Check that diffusers left no weight empty (on the meta device) for want of one in the files.

    Raises UnsafeModel.
    """
    for name in parts:
        part = getattr(pipeline, name, None)
        if part is not None:
            empty = (path for path, weight in part.named_parameters() if weight.is_meta)
            check_none_missing(empty, name, files)


def check_finite(pipeline: Any, parts: Sequence[str], files: BaseModelFiles) -> None:
    """Check that no weight is NaN or infinite: such a model paints black. Raises UnsafeModel."""
    for name in parts:
        part = getattr(pipeline, name, None)
        for path, weight in part.named_parameters() if part is not None else ():
            extremes = torch.stack(torch.aminmax(_plain(weight)))  # NaN if one number is
            if not torch.isfinite(extremes).all():
                raise UnsafeModel(
                    f"{files.path} holds numbers that are none (NaN or infinite) in its {name}, "
                    f"{path}: its training or merging failed. Get another version of it."
                )


def _plain(weight: torch.Tensor) -> torch.Tensor:
    """Return a weight as plain numbers; torchao's classes of tensors hold theirs in fewer bits."""
    values = weight.data
    return values if type(values) is torch.Tensor else values.dequantize()


def check_text_weights(pipeline: Any, parts: Sequence[str], files: BaseModelFiles) -> None:
    """Check a folder's text encoders, which transformers would initialize at random.

    Raises UnsafeModel.
    """
    for name in parts:
        part = getattr(pipeline, name, None)
        if part is not None:
            keys = {key for file in weights_in(files.path / name) for key in _keys_of(file)}
            check_none_missing((path for path in paths_of(part) if path not in keys), name, files)


def check_none_missing(lacking: Iterator[str], name: str, files: BaseModelFiles) -> None:
    """Raise UnsafeModel, with the first of the missing weights, unless there is none."""
    path = next(lacking, None)
    if path is not None:
        raise UnsafeModel(
            f"{files.path} is not whole: its {name} lacks the weight {path}. Get the whole model "
            "again."
        )


def paths_of(part: torch.nn.Module) -> list[str]:
    """Return the names of a text encoder's weights, without that of the inner module."""
    return [path.removeprefix(_INNER) for path, _ in part.named_parameters()]


def _keys_of(file: Path) -> list[str]:
    return [key.removeprefix(_INNER) for key in read_header(file).entries]
