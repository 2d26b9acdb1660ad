"""Find the vocabularies of text encoders on this machine.

Files of weights do not contain them, and CLIP's licence does not let Modelsheet ship it; every
model folder, ComfyUI and Forge have them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from modelsheet.base_models.locate import BaseModelFiles
from modelsheet.base_models.user_models import read_registry
from modelsheet.errors import ModelMissing
from modelsheet.files.json_file import read_json_object

_MODEL_SUBFOLDERS = ("tokenizer", ".")
_INSTALLATION_PATTERNS = (  # of a ComfyUI or Forge folder
    "comfy/sd1_tokenizer",
    "ComfyUI/comfy/sd1_tokenizer",
    "backend/huggingface/*/*/tokenizer",
    "huggingface/*/*/tokenizer",
    "comfy/text_encoders/*_tokenizer",
    "ComfyUI/comfy/text_encoders/*_tokenizer",
)


def find_vocabulary(files: BaseModelFiles, size: int, data_dir: Path) -> Path:
    """Return a folder with a CLIP tokenizer of `size` tokens, for a single-file checkpoint.

    Raises ModelMissing with where to get one.
    """
    folder = find_tokenizer(files, range(size, size + 1), data_dir)
    if folder is not None:
        return folder
    raise ModelMissing(
        f"{files.path.name} does not carry CLIP's vocabulary, which turns words into numbers, and "
        "none is on this machine. Get it with: modelsheet models download clip, or add the folder "
        "of your ComfyUI or Forge with: modelsheet models add FOLDER"
    )


def find_tokenizer(files: BaseModelFiles, sizes: range, data_dir: Path) -> Path | None:
    """Return a folder with a tokenizer that has as many tokens, special ones aside; the model's own
    is preferred to those of other models and programs.
    """
    return next((each for each in _candidates(files, data_dir) if _size_of(each) in sizes), None)


def token_of(word: str, files: BaseModelFiles, data_dir: Path) -> int | None:
    """Return the id of a word that is one token, None where it is several.

    Raises ModelMissing: the base model has no vocabulary on this machine.
    """
    folder = files.path / "tokenizer"
    if files.is_single_file and files.text_encoder is None:
        config = read_json_object(files.configs / "text_encoder" / "config.json")
        folder = find_vocabulary(files, config["vocab_size"], data_dir)
    token = _tokens_of(folder).get(f"{word.casefold()}</w>")  # as the end of a word
    return token if isinstance(token, int) else None


def _candidates(files: BaseModelFiles, data_dir: Path) -> Iterator[Path]:
    """Yield the model's own folders first, then other models', then other programs'."""
    registry = read_registry(data_dir)
    roots = [files.configs, files.path.parent, *sorted((data_dir / "models").glob("*"))]
    roots += [Path(model.path) for model in registry.models]
    for root in roots:
        yield from (root / subfolder for subfolder in _MODEL_SUBFOLDERS)
    for installation in registry.installations:
        for pattern in _INSTALLATION_PATTERNS:
            yield from sorted(Path(installation.path).glob(pattern))


def _size_of(folder: Path) -> int:
    return len(_tokens_of(folder))


def _tokens_of(folder: Path) -> Mapping[str, object]:
    """Return the tokens of a folder's tokenizer, none where there is none."""
    try:
        if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
            return read_json_object(folder / "vocab.json")
        if (folder / "tokenizer.json").is_file():
            return _mapping(read_json_object(folder / "tokenizer.json")["model"]["vocab"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
