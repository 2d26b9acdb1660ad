"""Exported files do what was learnt, in diffusers and by the formula, and say what they are."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load, load_file, save

from modelsheet.api.types import Family
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.hyperparameters import AdapterShape
from modelsheet.diffusion.training.adapter import TrainableAdapter
from modelsheet.errors import UnsafeModel
from modelsheet.lora.diffusers_writer import write_diffusers
from modelsheet.lora.factors import LoraFactors
from modelsheet.lora.key_mapping import KeyLayout
from modelsheet.lora.kohya_writer import LoraMetadata, write_kohya
from modelsheet.lora.layer_shapes import LayerKey
from modelsheet.lora.reader import read_lora
from tests.lora.conftest import FAMILIES

ABOUT = LoraMetadata(
    title="Star Hero",
    output_name="hero-qzx",
    identifier="ohwx",
    class_noun="human woman",
    base_model="sd15",
    resolution=512,
    training_steps=120,
    image_count=5,
    seed=7,
    created=1_700_000_000.0,
)
SHAPE = AdapterShape(rank=4, text_encoder_rank=3, feed_forward=True, convolutions=True)
Deltas = dict[tuple[str, str], torch.Tensor]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def learnt(
    family: Family, base: Callable[[str], BaseModel], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An adapter as learning leaves it, on all kinds of layers, with weights that do something."""
    adapter = TrainableAdapter(base(family), SHAPE, seed=1)
    try:
        generator = torch.Generator().manual_seed(0)
        for module in adapter.modules.values():
            for parameter in module.parameters():
                if parameter.requires_grad:
                    parameter.data.normal_(std=0.02, generator=generator)
        return adapter.save(tmp_path_factory.mktemp(family))
    finally:
        adapter.detach()


@pytest.fixture(scope="module")
def exported(family: Family, learnt: Path, layout: Callable[[str], KeyLayout]) -> Path:
    lora = read_lora(learnt.read_bytes(), layout(family), learnt.name)
    path = learnt.with_name("exported.safetensors")
    path.write_bytes(write_kohya(lora.factors, layout(family), ABOUT))
    return path


@contextmanager
def heard() -> Iterator[list[str]]:
    """What diffusers and transformers warn of."""
    messages: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    loggers = [diffusers.utils.logging.get_logger(), transformers.utils.logging.get_logger()]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield messages
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


def changes_in_diffusers(base: BaseModel, file: Path) -> tuple[Deltas, list[str]]:
    """ΔW of each layer once diffusers has loaded the file, and what it warned of."""
    pipeline = base.pipeline
    with heard() as messages:
        pipeline.load_lora_weights(file.parent, weight_name=file.name, adapter_name="hero")
    deltas: Deltas = {}
    parts = {"unet": base.unet, "text_encoder": pipeline.text_encoder}
    parts["text_encoder_2"] = getattr(pipeline, "text_encoder_2", torch.nn.Module())
    for name, part in parts.items():
        for path, layer in part.named_modules():
            if "hero" in getattr(layer, "lora_A", {}):
                site = (name, path.removeprefix("text_model."))
                deltas[site] = layer.get_delta_weight("hero").detach().clone()
    pipeline.unload_lora_weights()
    return deltas, messages


def test_diffusers_loads_it_without_a_warning_and_changes_every_layer_alike(
    family: Family, base: Callable[[str], BaseModel], learnt: Path, exported: Path
) -> None:
    expected, _ = changes_in_diffusers(base(family), learnt)

    found, messages = changes_in_diffusers(base(family), exported)

    assert messages == []
    assert found.keys() == expected.keys()
    assert len(found) > 250
    for site, delta in found.items():
        assert float((delta - expected[site]).abs().max()) < 1e-3 * float(
            expected[site].abs().max()
        )


def test_a_module_of_it_gives_the_change_by_kohyas_formula(
    family: Family, learnt: Path, exported: Path
) -> None:
    path = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k"
    name = {
        "sd15": "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k",
        "sdxl": "lora_unet_middle_block_1_transformer_blocks_0_attn2_to_k",
    }[family]
    ours, theirs = load_file(learnt), load_file(exported)

    up, down = theirs[f"{name}.lora_up.weight"].float(), theirs[f"{name}.lora_down.weight"].float()
    change = up @ down * (theirs[f"{name}.alpha"].item() / down.shape[0])

    expected = ours[f"unet.{path}.lora_B.weight"] @ ours[f"unet.{path}.lora_A.weight"]
    torch.testing.assert_close(change, expected, rtol=0, atol=1e-3 * float(expected.abs().max()))


def test_it_is_half_precision_and_each_alpha_is_the_rank(exported: Path) -> None:
    tensors = load_file(exported)

    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    alphas = {key: tensor for key, tensor in tensors.items() if key.endswith(".alpha")}
    assert len(alphas) * 3 == len(tensors)
    for key, alpha in alphas.items():
        assert alpha.shape == ()
        assert alpha.item() == tensors[key.replace(".alpha", ".lora_down.weight")].shape[0]


def test_its_metadata_tells_a1111_the_family_and_the_artist_the_trigger(
    family: Family, exported: Path
) -> None:
    with safe_open(exported, "pt") as file:
        metadata = file.metadata()

    expected: dict[Family, tuple[str, str]] = {
        "sd15": ("sd_v1", "stable-diffusion-v1/lora"),
        "sdxl": ("sdxl_base_v1-0", "stable-diffusion-xl-v1-base/lora"),
    }
    version, architecture = expected[family]
    assert metadata["ss_base_model_version"] == version
    assert metadata["modelspec.architecture"] == architecture
    assert metadata["ss_v2"] == "False"
    assert metadata["ss_network_module"] == "networks.lora"
    assert metadata["ss_network_dim"] == metadata["ss_network_alpha"] == str(SHAPE.rank)
    assert metadata["modelspec.trigger_phrase"] == "ohwx human woman"
    assert json.loads(metadata["ss_tag_frequency"]) == {"subject": {"ohwx human woman": 5}}
    assert metadata["modelspec.date"] == "2023-11-14T22:13:20Z"


def test_equal_subjects_have_equal_bytes(
    family: Family, learnt: Path, exported: Path, layout: Callable[[str], KeyLayout]
) -> None:
    again = read_lora(learnt.read_bytes(), layout(family), "again")

    assert write_kohya(again.factors, layout(family), ABOUT) == exported.read_bytes()


def test_imported_back_it_is_what_was_exported(
    family: Family,
    base: Callable[[str], BaseModel],
    exported: Path,
    layout: Callable[[str], KeyLayout],
) -> None:
    lora = read_lora(exported.read_bytes(), layout(family), exported.name)
    adapter = exported.with_name("adapter.safetensors")
    adapter.write_bytes(write_diffusers(lora.factors, layout(family), {}))

    found, messages = changes_in_diffusers(base(family), adapter)

    expected, _ = changes_in_diffusers(base(family), exported)
    assert messages == []
    assert found.keys() == expected.keys()
    for site, delta in found.items():
        torch.testing.assert_close(delta, expected[site], rtol=1e-5, atol=1e-9)


SITE = LayerKey("unet", "mid_block.attentions.0.transformer_blocks.0.attn1.to_q")
NAME = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"


def one_layer(value: float) -> dict[LayerKey, LoraFactors]:
    down = np.full((2, 16), 0.5, np.float32)
    return {SITE: LoraFactors(np.full((16, 2), value, np.float32), down)}


def test_what_half_precision_would_lose_is_kept_in_full(layout: Callable[[str], KeyLayout]) -> None:
    content = write_kohya(one_layer(3e-8), layout("sd15"), ABOUT)

    up = load(content)[f"{NAME}.lora_up.weight"]
    assert up.dtype == torch.float32
    assert float(up[0, 0]) == pytest.approx(3e-8)


def test_an_adapter_that_learnt_nothing_is_not_exported(layout: Callable[[str], KeyLayout]) -> None:
    with pytest.raises(UnsafeModel, match="changes nothing"):
        write_kohya(one_layer(0.0), layout("sd15"), ABOUT)


def test_a_single_text_encoder_layer_can_be_exported(layout: Callable[[str], KeyLayout]) -> None:
    site = LayerKey("text_encoder", "encoder.layers.0.mlp.fc1")
    factors = {site: LoraFactors(np.ones((32, 1), np.float32), np.ones((1, 16), np.float32))}

    content = write_kohya(factors, layout("sd15"), ABOUT)

    assert sorted(load(content)) == [
        f"lora_te_text_model_encoder_layers_0_mlp_fc1.{end}"
        for end in ("alpha", "lora_down.weight", "lora_up.weight")
    ]
    assert save(load(content))  # a whole safetensors file to the library itself
