"""Attach a trainable LoRA to the denoiser and the text encoders, in fp32 whatever the base's
precision, and save it in diffusers' format.
"""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY
from diffusers.training_utils import cast_training_params
from peft import LoraConfig, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors import safe_open
from safetensors.torch import load, save_file

from modelsheet.diffusion.kernels.fused_lora import fuse_lora
from modelsheet.diffusion.kernels.merged_lora import without_lora
from modelsheet.diffusion.models.adapter_hypernetwork import LoraFactors
from modelsheet.diffusion.models.base_model import BaseModel, LoraTargets
from modelsheet.diffusion.models.hyperparameters import AdapterShape
from modelsheet.diffusion.models.identifier_embedding import IdentifierEmbedding

ADAPTER_NAME = "default"
FILE_NAME = "adapter.safetensors"


class TrainableAdapter:
    """A LoRA under training on the base's own modules; `detach` leaves those as they were. `rows`:
    the identifier's embedding, where that is trained too.
    """

    def __init__(
        self,
        base: BaseModel,
        shape: AdapterShape,
        seed: int,
        rows: IdentifierEmbedding | None = None,
    ) -> None:
        self.base, self.rows = base, rows
        # Any: peft puts its methods on modules that torch declares without them.
        self.modules: dict[str, Any] = {}
        self.predicted: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        # Initial weights come from the global generator; fork it, to leave its state as it was.
        with torch.random.fork_rng(devices=_cuda_devices(base)):
            torch.manual_seed(seed)
            for name, targets in base.adapter_targets(shape).items():
                targets.network.add_adapter(_config(targets), ADAPTER_NAME)
                self.modules[name] = targets.network
        # peft casts LoRA to the base's dtype; in bf16 most updates would round to nothing.
        cast_training_params(list(self.modules.values()), torch.float32)
        for module in self.modules.values():
            fuse_lora(module)

    @property
    def trains_text(self) -> bool:
        return len(self.names) > 1

    @property
    def names(self) -> list[str]:
        """Names of the trained parts: the networks, and "embedding" for the identifier's rows."""
        return [*self.modules, *(["embedding"] if self.rows else [])]

    def parameters(self, name: str) -> list[torch.nn.Parameter]:
        if name == "embedding":
            return self.rows.rows if self.rows else []
        return [p for p in self.modules[name].parameters() if p.requires_grad]

    def state(self) -> dict[str, torch.Tensor]:
        """Copy all LoRA weights, by "module.key", and the identifier's rows."""
        weights = {
            f"{name}.{key}": value.detach().clone()
            for name, module in self.modules.items()
            for key, value in get_peft_model_state_dict(module, adapter_name=ADAPTER_NAME).items()
        }
        return weights | (self.rows.state() if self.rows else {})

    def load_state(self, state: Mapping[str, torch.Tensor]) -> None:
        if self.rows:
            self.rows.load_state(state)
        for name, module in self.modules.items():
            prefix = f"{name}."
            own = {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
            set_peft_model_state_dict(module, own, adapter_name=ADAPTER_NAME)

    def begin_from(self, factors: LoraFactors) -> None:
        """Set the denoiser's first ranks, and keep them as `predicted`; what is of a higher rank
        than the adapter is left out.
        """
        layers = dict(self.modules[self.base.denoiser_name].named_modules())
        with torch.no_grad():
            for name, (down, up) in factors.items():
                layer, rank = layers[name], len(down)
                if isinstance(layer, LoraLayer) and layer.r[ADAPTER_NAME] >= rank:
                    layer.lora_A[ADAPTER_NAME].weight[:rank] = down
                    layer.lora_B[ADAPTER_NAME].weight[:, :rank] = up
                    self.predicted[name] = down, up

    @cached_property
    def base_without_lora(self) -> BaseModel:
        """The base with a denoiser that the adapter is not in, of the same weights: another thread
        may use it beside the trained one. Prompts are still encoded with the adapter.
        """
        name = self.base.denoiser_name
        pipeline = copy.copy(self.base.pipeline)
        setattr(pipeline, name, without_lora(self.modules[name]))
        return replace(self.base, pipeline=pipeline)

    @contextmanager
    def off(self) -> Iterator[None]:
        """Switch the adapter off while the block runs: the model is the original one."""
        for module in self.modules.values():
            module.disable_adapters()
        if self.rows:
            self.rows.scale = 0.0
        try:
            yield
        finally:
            for module in self.modules.values():
                module.enable_adapters()
            if self.rows:
                self.rows.scale = 1.0

    def save(self, folder: Path, extra: Mapping[str, torch.Tensor] | None = None) -> Path:
        """Write `folder`/adapter.safetensors in the format that diffusers loads, with its
        metadata; `extra` tensors go in as they are.
        """
        layers = {
            f"{name}_lora_layers": get_peft_model_state_dict(module, adapter_name=ADAPTER_NAME)
            for name, module in self.modules.items()
        }
        metadata = {
            f"{name}_lora_adapter_metadata": module.peft_config[ADAPTER_NAME].to_dict()
            for name, module in self.modules.items()
        }
        self.base.pipeline.save_lora_weights(
            folder, weight_name=FILE_NAME, safe_serialization=True, **layers, **metadata
        )
        added = {**(self.rows.state() if self.rows else {}), **(extra or {})}
        if added:
            _add_tensors(folder / FILE_NAME, added)
        _write_header_canonically(folder / FILE_NAME)
        return folder / FILE_NAME

    def detach(self) -> None:
        """Remove the adapter; the base gives bit for bit what it gave before."""
        self.base.pipeline.unload_lora_weights()
        if self.rows:
            self.rows.remove()


def _add_tensors(file: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    with safe_open(file, "pt") as content:
        metadata = content.metadata()
    # Read, not mapped: the file is written anew while its tensors are still needed.
    save_file(load(file.read_bytes()) | dict(tensors), file, metadata)


def _write_header_canonically(file: Path) -> None:
    """Give equal adapters equal bytes: the library orders a header's metadata at random, peft
    orders its lists of layers by the process, and it records the base's path on this machine.
    """
    content = file.read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    lora = json.loads(header["__metadata__"][LORA_ADAPTER_METADATA_KEY])
    kept = {
        key: sorted(value) if isinstance(value, list) else value
        for key, value in lora.items()
        if not key.endswith(".base_model_name_or_path")
    }
    header["__metadata__"][LORA_ADAPTER_METADATA_KEY] = json.dumps(kept, sort_keys=True)
    encoded = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    file.write_bytes(struct.pack("<Q", len(encoded)) + encoded + content[8 + length :])


def _config(targets: LoraTargets) -> LoraConfig:
    return LoraConfig(
        r=targets.rank,
        lora_alpha=targets.rank,
        target_modules=list(targets.layers),
        init_lora_weights="gaussian",
    )


def _cuda_devices(base: BaseModel) -> list[torch.device]:
    return [base.device] if base.device.type == "cuda" else []
