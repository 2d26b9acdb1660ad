"""ComfyUI's own key map has every key of an adapter for FLUX.2 klein; needs COMFYUI_HOME."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.hyperparameters import AdapterShape
from modelsheet.diffusion.training.adapter import TrainableAdapter

HOME = Path(os.environ.get("COMFYUI_HOME", "/nowhere"))
UTILS = HOME / "comfy" / "utils.py"


@pytest.mark.skipif(not UTILS.is_file(), reason="COMFYUI_HOME names no ComfyUI")
@pytest.mark.parametrize("feed_forward", [False, True])
def test_every_key_of_an_adapter_is_in_comfyuis_map(klein: BaseModel, feed_forward: bool) -> None:
    adapter = TrainableAdapter(klein, AdapterShape(2, 0, feed_forward, False), seed=0)
    try:
        keys = {key.rsplit(".lora_", 1)[0] for key in adapter.state()}
    finally:
        adapter.detach()
    config = klein.denoiser.config
    blocks = {"depth": config.num_layers, "depth_single_blocks": config.num_single_layers}

    known = comfyui_function("flux_to_diffusers")({**blocks, "hidden_size": 16}, "")

    assert {
        key for key in keys if f"{key.removeprefix('transformer.')}.weight" not in known
    } == set()


def comfyui_function(name: str) -> Any:
    """Take a function out of ComfyUI's utilities, whose module would start ComfyUI."""
    tree = ast.parse(UTILS.read_text("utf-8"))
    wanted = {name, "swap_scale_shift"}
    tree.body = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name in wanted]
    found: dict[str, Any] = {"torch": torch}
    exec(compile(tree, str(UTILS), "exec"), found)
    return found[name]
