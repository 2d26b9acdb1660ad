"""Load a LoRA file by A1111's stable-diffusion-webui."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from modelsheet.lora.key_mapping import TEXT_ENCODER, TEXT_ENCODER_2
from modelsheet.lora.layer_shapes import LayerKey
from modelsheet_benchmarks.interop.base_modules import (
    text_encoder_by_original_names,
    unet_by_original_names,
)
from modelsheet_benchmarks.interop.loaded import Loaded, LoraToLoad
from modelsheet_benchmarks.interop.stub_modules import stub_modules


def load(program: Path, lora: LoraToLoad) -> Loaded:
    """Load by `load_network`; ΔW by `calc_updown`."""
    sys.path.insert(0, str(program / "extensions-builtin" / "Lora"))
    stub_modules("modules", "gradio", "einops")
    shared: Any = importlib.import_module("modules.shared")
    devices: Any = importlib.import_module("modules.devices")
    models: Any = importlib.import_module("modules.sd_models")
    shared.cmd_opts = types.SimpleNamespace(lora_dir=str(lora.file.parent), lyco_dir_backcompat="")
    shared.walk_files = lambda *_, **__: []
    devices.cpu, devices.dtype = torch.device("cpu"), torch.float32
    models.read_state_dict = load_file
    networks = importlib.import_module("networks")
    shared.sd_model = _model(lora)
    networks.assign_network_names_to_compvis_modules(shared.sd_model)
    on_disk = types.SimpleNamespace(filename=str(lora.file), name="exported")
    net = networks.load_network("exported", on_disk)
    unmatched = getattr(net, "keys_failed_to_match", None)
    if unmatched is None:
        used = {module.network_key.partition(".")[0] for module in net.modules.values()}
        unmatched = [key for key in load_file(lora.file) if key.partition(".")[0] not in used]
    unmatched = list(unmatched)
    return Loaded(len(load_file(lora.file)) - len(unmatched), unmatched, _deltas(net, lora))


def _deltas(net: Any, lora: LoraToLoad) -> Iterator[tuple[LayerKey, torch.Tensor]]:
    for module in net.modules.values():
        key = lora.layout.by_kohya_name[module.network_key.partition(".")[0]]
        shape = lora.layout.shapes[key]
        kernel = [shape.kernel] * (2 if shape.kernel else 0)
        weight = torch.zeros(shape.rows, shape.columns, *kernel)
        yield key, module.calc_updown(weight)[0]


def _model(lora: LoraToLoad) -> Any:
    """Return what A1111 keeps as its model."""
    model = types.SimpleNamespace(
        model=unet_by_original_names(lora.layout), is_sdxl=lora.family == "sdxl"
    )
    wrapped = [
        types.SimpleNamespace(wrapped=text_encoder_by_original_names(lora.layout, each))
        for each in (TEXT_ENCODER, TEXT_ENCODER_2)
    ]
    model.conditioner = types.SimpleNamespace(embedders=wrapped)
    model.cond_stage_model = wrapped[0]
    return model
