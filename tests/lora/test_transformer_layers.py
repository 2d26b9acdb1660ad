"""LoRA files for FLUX.2 klein: its layers, and the formats of other trainers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from diffusers import Flux2Transformer2DModel
from diffusers.loaders.lora_conversion_utils import (
    _convert_kohya_flux2_lora_to_diffusers,
    _convert_non_diffusers_flux2_lora_to_diffusers,
)

from modelsheet.errors import UnsafeModel
from modelsheet.files.safetensors_file import encode_safetensors, parse_header
from modelsheet.lora.diffusers_writer import write_diffusers
from modelsheet.lora.factors import LoraFactors
from modelsheet.lora.key_mapping import KeyLayout
from modelsheet.lora.kohya_writer import LoraMetadata, write_kohya
from modelsheet.lora.layer_shapes import LayerKey
from modelsheet.lora.reader import read_lora
from modelsheet.lora.transformer_layers import make_transformer_layout

RANK = 2
METADATA = LoraMetadata("hero", "hero", "rjv", "human", "flux2-klein", 1024, 500, 5, 0, 0.0)
FUSED = {
    "double_blocks.1.img_attn.qkv": (48, 16),
    "double_blocks.0.txt_attn.qkv": (48, 16),
}
ORIGINAL = {
    **FUSED,
    "double_blocks.0.img_attn.proj": (16, 16),
    "double_blocks.0.txt_mlp.0": (96, 16),
    "double_blocks.1.img_mlp.2": (16, 48),
    "single_blocks.1.linear1": (144, 16),
    "single_blocks.0.linear2": (16, 64),
}


@pytest.fixture(scope="module")
def transformer() -> Flux2Transformer2DModel:
    return Flux2Transformer2DModel(
        in_channels=16,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=24,
        axes_dims_rope=(2, 2, 2, 2),
        timestep_guidance_channels=12,
        guidance_embeds=False,
    )


@pytest.fixture(scope="module")
def layout(transformer: Flux2Transformer2DModel) -> KeyLayout:
    return make_transformer_layout("flux2-klein", transformer.config)


def test_every_linear_layer_is_known_with_its_shape(
    transformer: Flux2Transformer2DModel, layout: KeyLayout
) -> None:
    true = {
        name: tuple(part.weight.shape)
        for name, part in transformer.named_modules()
        if isinstance(part, torch.nn.Linear) and name != "norm_out.linear"
    }

    known = {
        key.path: (shape.rows, shape.columns)
        for key, shape in layout.shapes.items()
        if key not in layout.fused
    }

    assert known == true


def factors(shapes: Mapping[str, tuple[int, int]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    return {
        name: (
            rng.standard_normal((rows, RANK), dtype=np.float32),
            rng.standard_normal((RANK, columns), dtype=np.float32),
        )
        for name, (rows, columns) in shapes.items()
    }


def updates(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """ΔW of each layer of a file in diffusers' format."""
    names = {key.split(".lora_")[0] for key in tensors}
    return {
        name: tensors[f"{name}.lora_B.weight"].float() @ tensors[f"{name}.lora_A.weight"].float()
        for name in names
    }


def read_as_diffusers(content: bytes, layout: KeyLayout) -> dict[str, torch.Tensor]:
    from safetensors.torch import load

    return load(write_diffusers(read_lora(content, layout, "file").factors, layout, {}))


def assert_same(ours: Mapping[str, torch.Tensor], theirs: Mapping[str, torch.Tensor]) -> None:
    first, second = updates(ours), updates(theirs)
    assert set(first) == set(second)
    for name, update in first.items():
        torch.testing.assert_close(update, second[name], rtol=1e-4, atol=1e-5)


def test_kohyas_files_are_read_as_by_diffusers(layout: KeyLayout) -> None:
    tensors = {}
    for name, (up, down) in factors(ORIGINAL).items():
        flat = f"lora_unet_{name.replace('.', '_')}"
        tensors |= {f"{flat}.lora_up.weight": up, f"{flat}.lora_down.weight": down}
        tensors[f"{flat}.alpha"] = np.array(1.0, np.float32)

    ours = read_as_diffusers(encode_safetensors(tensors, {}), layout)

    theirs = {key: torch.from_numpy(value.copy()) for key, value in tensors.items()}
    assert_same(ours, _convert_kohya_flux2_lora_to_diffusers(theirs))


def test_ai_toolkits_files_are_read_as_by_diffusers(layout: KeyLayout) -> None:
    tensors = {}
    for name, (up, down) in factors(ORIGINAL).items():
        tensors[f"diffusion_model.{name}.lora_B.weight"] = up
        tensors[f"diffusion_model.{name}.lora_A.weight"] = down

    ours = read_as_diffusers(encode_safetensors(tensors, {}), layout)

    theirs = {key: torch.from_numpy(value.copy()) for key, value in tensors.items()}
    assert_same(ours, _convert_non_diffusers_flux2_lora_to_diffusers(theirs))


def learnt(*names: str) -> dict[LayerKey, LoraFactors]:
    shapes = {"single_transformer_blocks.1.attn.to_out": (16, 64)}
    shapes |= {f"transformer_blocks.0.attn.{name}": (16, 16) for name in names}
    return {
        LayerKey("transformer", name): LoraFactors(*each) for name, each in factors(shapes).items()
    }


def test_a_kohya_file_has_q_k_and_v_in_one_as_the_original_model(layout: KeyLayout) -> None:
    from safetensors.torch import load

    of_subject = learnt("to_q", "to_k", "to_v", "to_out.0")
    written = load(write_kohya(of_subject, layout, METADATA))

    assert {key.partition(".")[0] for key in written} == {
        "lora_unet_double_blocks_0_img_attn_qkv",
        "lora_unet_double_blocks_0_img_attn_proj",
        "lora_unet_single_blocks_1_linear2",
    }
    read = _convert_kohya_flux2_lora_to_diffusers(dict(written))
    ours = updates(load(write_diffusers(of_subject, layout, {})))
    assert set(updates(read)) == set(ours)
    for name, update in updates(read).items():
        assert read[f"{name}.lora_A.weight"].shape[0] == RANK
        torch.testing.assert_close(update, ours[name], rtol=1e-2, atol=1e-2)  # of fp16


def test_a_part_of_a_fused_layer_that_is_not_learnt_stays_as_it_is(layout: KeyLayout) -> None:
    content = write_kohya(learnt("to_k"), layout, METADATA)

    read = read_lora(content, layout, "file").factors
    changed = {key.path.rpartition(".")[2] for key, each in read.items() if each.up.any()}
    assert changed == {"to_k", "to_out"}


def test_a_fused_layer_of_another_trainer_keeps_its_rank(layout: KeyLayout) -> None:
    name = "lora_unet_double_blocks_0_img_attn_qkv"
    up, down = factors({name: (48, 16)})[name]
    content = encode_safetensors(
        {f"{name}.lora_up.weight": up, f"{name}.lora_down.weight": down}, {}
    )
    imported = read_lora(content, layout, "file").factors

    again = parse_header(write_kohya(imported, layout, METADATA), "file")

    assert again.entries[f"{name}.lora_down.weight"].shape == (RANK, 16)


@pytest.mark.parametrize("beginning", ["transformer.", "lora_transformer_", ""])
def test_names_of_diffusers_are_read_with_any_beginning(beginning: str, layout: KeyLayout) -> None:
    shapes = {
        "transformer_blocks.0.attn.to_out.0": (16, 16),
        "single_transformer_blocks.1.attn.to_out": (16, 64),
    }
    tensors = {}
    for name, (up, down) in factors(shapes).items():
        spelt = name.replace(".", "_") if beginning.endswith("_") else name
        tensors[f"{beginning}{spelt}.lora_up.weight"] = up
        tensors[f"{beginning}{spelt}.lora_down.weight"] = down

    ours = read_as_diffusers(encode_safetensors(tensors, {}), layout)

    assert set(updates(ours)) == {f"transformer.{name}" for name in shapes}


def test_another_size_of_the_model_is_refused(layout: KeyLayout) -> None:
    up, down = factors({"": (64, 32)})[""]
    name = "transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj"
    content = encode_safetensors({f"{name}.lora_B.weight": up, f"{name}.lora_A.weight": down}, {})

    with pytest.raises(UnsafeModel, match="does not fit this base model"):
        read_lora(content, layout, "file")
