"""Where on this machine CLIP's vocabulary lies. Single-file checkpoints do not carry it, and it is
not ours to ship; every model folder, ComfyUI and Forge have it. No torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from modelsheet.base_models.catalogue import BaseModelFiles
from modelsheet.base_models.user_models import read_registry
from modelsheet.errors import ModelMissing

_PLACES = ("tokenizer", ".")  # of a model's folder
_INSTALLATION_PLACES = (
    "comfy/sd1_tokenizer",
    "backend/huggingface/*/*/tokenizer",
    "huggingface/*/*/tokenizer",
)


def find_vocabulary(files: BaseModelFiles, size: int, data_dir: Path) -> Path:
    """Return a folder with a CLIP tokenizer of `size` tokens for a checkpoint.

    Raises ModelMissing with where to get one.
    """
    for folder in _candidates(files, data_dir):
        if _size_of(folder) == size:
            return folder
    raise ModelMissing(
        f"{files.path.name} does not carry CLIP's vocabulary, which turns words into numbers, and "
        "none is on this machine. Get it with: modelsheet models download clip, or add the folder "
        "of your ComfyUI or Forge with: modelsheet models add FOLDER"
    )


def _candidates(files: BaseModelFiles, data_dir: Path) -> Iterator[Path]:
    """The model's own first, then those of other models here, then those of other programs."""
    registry = read_registry(data_dir)
    homes = [files.configs, files.path.parent, *sorted((data_dir / "models").glob("*"))]
    homes += [Path(model.path) for model in registry.models]
    for home in homes:
        yield from (home / place for place in _PLACES)
    for installation in registry.installations:
        for place in _INSTALLATION_PLACES:
            yield from sorted(Path(installation.path).glob(place))


def _size_of(folder: Path) -> int:
    """Count the tokens of a folder's tokenizer, 0 where there is none."""
    try:
        if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
            return len(json.loads((folder / "vocab.json").read_text("utf-8")))
        if (folder / "tokenizer.json").is_file():
            return len(json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]["vocab"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return 0
