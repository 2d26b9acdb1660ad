"""Key layout of a base model on this machine, from its config files."""

from __future__ import annotations

from pathlib import Path

from modelsheet.base_models.families import FAMILIES
from modelsheet.base_models.locate import BaseModelFiles
from modelsheet.errors import ModelMissing
from modelsheet.files.json_file import read_json_object
from modelsheet.lora.key_mapping import TRANSFORMER, KeyLayout, make_key_layout
from modelsheet.lora.layer_shapes import Config
from modelsheet.lora.transformer_layers import make_transformer_layout


def key_layout_of(files: BaseModelFiles) -> KeyLayout:
    """Return the key layout of a base model.

    Raises ModelMissing: its config files are missing, or of another architecture.
    """
    if TRANSFORMER in FAMILIES[files.family].components:
        return make_transformer_layout(files.family, _config(files.configs / TRANSFORMER))
    unet = _config(files.configs / "unet")
    text_encoder = _config(files.configs / "text_encoder")
    second = files.configs / "text_encoder_2"
    try:
        return make_key_layout(
            files.family, unet, text_encoder, _config(second) if second.is_dir() else None
        )
    except (KeyError, TypeError, IndexError) as error:
        raise ModelMissing(
            f"The base model {files.id} is not built like SD 1.5 or SDXL ({error}); adapters of "
            "it cannot be exchanged."
        ) from None


def _config(folder: Path) -> Config:
    try:
        return read_json_object(folder / "config.json")
    except (OSError, ValueError):
        raise ModelMissing(
            f"{folder / 'config.json'} is missing or damaged. Get the base model again."
        ) from None
