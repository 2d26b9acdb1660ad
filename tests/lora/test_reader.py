"""Foreign LoRA files of all kinds of names do what they mean, or are refused in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch
from safetensors.torch import save

from modelsheet.api.types import Family
from modelsheet.errors import UnsafeModel
from modelsheet.lora.factors import LoraFactors
from modelsheet.lora.key_mapping import KeyLayout
from modelsheet.lora.layer_shapes import LayerKey
from modelsheet.lora.reader import read_lora

# The narrow models' widths: 16 in the middle; text of 16 for SD 1.5, of 40 for SDXL.
PATH = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
KOHYA = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
SGM = "lora_unet_middle_block_1_transformer_blocks_0_attn1_to_q"
CONVOLUTION = "lora_unet_mid_block_resnets_0_conv1"
LAYER_KEY = LayerKey("unet", PATH)
Layouts = Callable[[str], KeyLayout]
Tensors = dict[str, torch.Tensor]


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


UP, DOWN = random(16, 4), random(4, 16)


def read(tensors: Tensors, layout: KeyLayout, **metadata: str) -> dict[LayerKey, LoraFactors]:
    content = save(
        {key: value.clone().contiguous() for key, value in tensors.items()}, metadata or None
    )
    return dict(read_lora(content, layout, "file.safetensors").factors)


def change(factors: LoraFactors) -> torch.Tensor:
    return torch.from_numpy(factors.up @ factors.down)


@pytest.mark.parametrize(
    ("family", "up", "down"),
    [
        ("sd15", f"{KOHYA}.lora_up.weight", f"{KOHYA}.lora_down.weight"),
        ("sdxl", f"{KOHYA}.lora_up.weight", f"{KOHYA}.lora_down.weight"),
        ("sdxl", f"{SGM}.lora_up.weight", f"{SGM}.lora_down.weight"),
        ("sd15", f"unet.{PATH}.lora_B.weight", f"unet.{PATH}.lora_A.weight"),
        ("sd15", f"unet.{PATH}.lora.up.weight", f"unet.{PATH}.lora.down.weight"),
        (
            "sd15",
            f"base_model.model.{PATH}.lora_B.weight",
            f"base_model.model.{PATH}.lora_A.weight",
        ),
        (
            "sd15",
            f"{PATH.replace('.to_q', '.processor.to_q_lora')}.up.weight",
            f"{PATH.replace('.to_q', '.processor.to_q_lora')}.down.weight",
        ),
    ],
)
def test_every_name_leads_to_its_layer(family: Family, up: str, down: str, layout: Layouts) -> None:
    factors = read({up: UP, down: DOWN}, layout(family))

    assert list(factors) == [LAYER_KEY]
    torch.testing.assert_close(change(factors[LAYER_KEY]), UP @ DOWN)


@pytest.mark.parametrize(
    ("key", "layer_key"),
    [
        ("lora_te1_text_model_encoder_layers_11_self_attn_q_proj", "text_encoder"),
        ("lora_te2_text_model_encoder_layers_11_self_attn_q_proj", "text_encoder_2"),
        ("text_encoder.text_model.encoder.layers.11.self_attn.q_proj", "text_encoder"),
        ("text_encoder_2.text_model.encoder.layers.11.self_attn.q_proj", "text_encoder_2"),
        ("text_encoder.encoder.layers.11.self_attn.q_proj", "text_encoder"),
    ],
)
def test_both_text_encoders_of_sdxl_are_read(key: str, layer_key: str, layout: Layouts) -> None:
    width = 24 if layer_key == "text_encoder_2" else 16
    ends = (".lora_up.weight", ".lora_down.weight")
    if "." in key:
        ends = (".lora_linear_layer.up.weight", ".lora_linear_layer.down.weight")
    tensors = {key + ends[0]: random(width, 2), key + ends[1]: random(2, width)}

    factors = read(tensors, layout("sdxl"))

    assert list(factors) == [LayerKey(layer_key, "encoder.layers.11.self_attn.q_proj")]


@pytest.mark.parametrize(
    ("alpha", "scale"), [(None, 1.0), (4.0, 1.0), (1.0, 0.25), (8.0, 2.0), (0.0, 1.0)]
)
def test_alpha_over_rank_is_the_scale(alpha: float | None, scale: float, layout: Layouts) -> None:
    tensors = {f"{KOHYA}.lora_up.weight": UP, f"{KOHYA}.lora_down.weight": DOWN}
    if alpha is not None:
        tensors[f"{KOHYA}.alpha"] = torch.tensor(alpha)

    factors = read(tensors, layout("sd15"))

    torch.testing.assert_close(change(factors[LAYER_KEY]), UP @ DOWN * scale)


@pytest.mark.parametrize(
    ("settings", "scale"),
    [
        ({"unet.lora_alpha": 2}, 0.5),
        ({"unet.lora_alpha": 2, "unet.use_rslora": True}, 1.0),
        ({"unet.lora_alpha": 2, "unet.alpha_pattern": {"attn1.to_q": 8}}, 2.0),
        ({"unet.lora_alpha": 2, "unet.alpha_pattern": {"attn2.to_q": 8}}, 0.5),
        ({"text_encoder.lora_alpha": 2}, 1.0),
        ({"unet.lora_alpha": 2, "unet.alpha_pattern": {"mid_block.*": 8}}, 2.0),
        ({"unet.lora_alpha": 2, "unet.alpha_pattern": {r"attn\d\.to_(q|k)": 8}}, 2.0),
        ({"unet.lora_alpha": 2, "unet.alpha_pattern": {"up_blocks.*": 8}}, 0.5),
        ({"unet.lora_alpha": 2, "unet.alpha_pattern": {"attn1.to_q": 8, "to_q": 4}}, 2.0),
    ],
)
def test_pefts_settings_give_the_scale(
    settings: dict[str, object], scale: float, layout: Layouts
) -> None:
    tensors = {f"unet.{PATH}.lora_B.weight": UP, f"unet.{PATH}.lora_A.weight": DOWN}

    factors = read(tensors, layout("sd15"), lora_adapter_metadata=json.dumps(settings))

    torch.testing.assert_close(change(factors[LAYER_KEY]), UP @ DOWN * scale)


@pytest.mark.parametrize(
    "patterns",
    [
        {"(a+)+": 8},
        {"(.*.*)*x": 8},
        {".*.*.*": 8},
        {"((": 8},
        {"a{9,}": 8},
        {f"x{index}.*": 8 for index in range(17)},
    ],
)
def test_patterns_that_may_take_long_are_refused(patterns: dict[str, int], layout: Layouts) -> None:
    tensors = {f"unet.{PATH}.lora_B.weight": UP, f"unet.{PATH}.lora_A.weight": DOWN}
    settings = json.dumps({"unet.lora_alpha": 2, "unet.alpha_pattern": patterns})

    with pytest.raises(UnsafeModel, match="alpha_pattern"):
        read(tensors, layout("sd15"), lora_adapter_metadata=settings)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8, torch.float8_e4m3fn])
def test_a_whole_alpha_is_read(dtype: torch.dtype, layout: Layouts) -> None:
    alpha = torch.tensor(8.0).to(dtype)

    factors = read(lora() | {f"{KOHYA}.alpha": alpha}, layout("sd15"))

    torch.testing.assert_close(change(factors[LAYER_KEY]), UP @ DOWN * 2)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_weights_of_8_bits_are_read(dtype: torch.dtype, layout: Layouts) -> None:
    up, down = UP.to(dtype), (DOWN / 400).to(dtype)  # subnormal ones too

    factors = read(
        {f"{KOHYA}.lora_up.weight": up, f"{KOHYA}.lora_down.weight": down}, layout("sd15")
    )

    torch.testing.assert_close(change(factors[LAYER_KEY]), up.float() @ down.float())


def test_numbers_of_a_sliders_training_are_passed_over(layout: Layouts) -> None:
    factors = read(lora(_aux__loss=torch.ones(1)), layout("sd15"))

    assert list(factors) == [LAYER_KEY]


def test_changed_biases_are_left_out_with_a_note(layout: Layouts) -> None:
    tensors = {f"unet.{PATH}.lora_B.weight": UP, f"unet.{PATH}.lora_A.weight": DOWN}
    content = save(tensors | {f"unet.{PATH}.lora_B.bias": torch.ones(16)})

    read_file = read_lora(content, layout("sd15"), "file.safetensors")

    assert list(read_file.factors) == [LAYER_KEY]
    assert "biases" in read_file.warnings[-1]


TEXT = "encoder_layers_0_self_attn_q_proj"


@pytest.mark.parametrize(
    ("prefix", "version", "family", "sentence"),
    [
        ("lora_te_text_model_", "", "sdxl", "made for SD 1.5, and .* is of SDXL"),
        ("lora_te_text_model_", "sd_v1", "sdxl", "made for SD 1.5, and .* is of SDXL"),
        ("lora_te1_text_model_", "sd_v1", "sdxl", "made for SD 1.5, and .* is of SDXL"),
        ("lora_te1_text_model_", "sdxl_base_v1-0", "sd15", "made for SDXL, and .* is of SD 1.5"),
        ("lora_te1_text_model_", "flux1", "sdxl", "made for Flux, which Modelsheet cannot use"),
    ],
)
def test_a_text_encoders_lora_is_for_the_family_that_it_names(
    prefix: str, version: str, family: Family, sentence: str, layout: Layouts
) -> None:
    name = f"{prefix}{TEXT}"
    tensors = {f"{name}.lora_up.weight": UP, f"{name}.lora_down.weight": DOWN}

    with pytest.raises(UnsafeModel, match=sentence):
        read(tensors, layout(family), ss_base_model_version=version)


def test_a_text_encoders_lora_that_names_no_family_is_read(layout: Layouts) -> None:
    name = f"lora_te1_text_model_{TEXT}"
    tensors = {f"{name}.lora_up.weight": UP, f"{name}.lora_down.weight": DOWN}

    assert len(read(tensors, layout("sdxl"))) == len(read(tensors, layout("sd15"))) == 1


def test_a_file_without_alpha_is_taken_with_a_note(layout: Layouts) -> None:
    tensors = {f"unet.{PATH}.lora_B.weight": UP, f"unet.{PATH}.lora_A.weight": DOWN}

    lora = read_lora(save(tensors), layout("sd15"), "file.safetensors")

    assert "alpha" in lora.warnings[0]


def test_a_convolution_is_read_whole_and_in_three_parts(layout: Layouts) -> None:
    up, down, mid = random(16, 2), random(2, 16), random(2, 2, 3, 3)
    whole = torch.einsum("orkl,rc->ockl", mid, down)
    layer_key = LayerKey("unet", "mid_block.resnets.0.conv1")
    expected = (up @ whole.reshape(2, -1)).float()

    one = read(
        {
            f"{CONVOLUTION}.lora_up.weight": up[:, :, None, None],
            f"{CONVOLUTION}.lora_down.weight": whole,
        },
        layout("sd15"),
    )
    three = read(
        {
            f"{CONVOLUTION}.lora_up.weight": up[:, :, None, None],
            f"{CONVOLUTION}.lora_down.weight": down[:, :, None, None],
            f"{CONVOLUTION}.lora_mid.weight": mid,
        },
        layout("sd15"),
    )

    torch.testing.assert_close(change(one[layer_key]), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(change(three[layer_key]), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_every_precision_is_read(dtype: torch.dtype, layout: Layouts) -> None:
    up, down = UP.to(dtype), DOWN.to(dtype)
    tensors = {f"{KOHYA}.lora_up.weight": up, f"{KOHYA}.lora_down.weight": down}

    factors = read(tensors, layout("sd15"))

    torch.testing.assert_close(change(factors[LAYER_KEY]), up.float() @ down.float())


def lora(**others: torch.Tensor) -> Tensors:
    kept = {f"{KOHYA}.lora_up.weight": UP, f"{KOHYA}.lora_down.weight": DOWN}
    return kept | {key.replace("__", "."): value for key, value in others.items()}


def attention(rank: int, width: int) -> Tensors:
    key = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    up, down = torch.ones(8, rank), torch.ones(rank, width)
    return {f"{key}.lora_up.weight": up, f"{key}.lora_down.weight": down}


NAN = torch.full((4, 16), float("nan"))
REFUSED: dict[str, tuple[Tensors, str]] = {
    "SDXL": (attention(4, 2048), "made for SDXL"),
    "SD 2": (attention(4, 1024), "made for SD 2"),
    "two encoders": ({"lora_te2_x.lora_up.weight": UP}, "made for SDXL, and .* is of SD 1.5"),
    "Flux": ({"lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight": UP}, "made for Flux"),
    "unknown layer": ({"lora_unet_cellar.lora_up.weight": UP}, "no layer 'lora_unet_cellar'"),
    "unknown key": (lora(banana=UP), "is no LoRA: nothing is known of its part 'banana'"),
    "LoHa": (lora(x__hada_w1_a=UP), "is a LoHa"),
    "LoKr": (lora(x__lokr_w1=UP), "is a LoKr"),
    "DoRA": (lora(x__dora_scale=UP), "is a DoRA"),
    "full difference": (lora(x__diff=UP), "a full difference of weights"),
    "NaN": (lora() | {f"{KOHYA}.lora_down.weight": NAN}, "NaN"),
    "half a pair": ({f"{KOHYA}.lora_up.weight": UP}, "no counterpart"),
    "other width": (lora() | {f"{KOHYA}.lora_up.weight": UP[:8]}, "does not fit this base model"),
    "other rank": (lora() | {f"{KOHYA}.lora_up.weight": UP[:, :2]}, "does not fit"),
    "zero": ({key: value * 0 for key, value in lora().items()}, "changes nothing"),
    "twice": (lora() | {f"unet.{PATH}.lora_A.weight": DOWN}, "two LoRA for one layer"),
    "nothing": ({}, "holds no weights"),
    "integers": (lora() | {f"{KOHYA}.lora_up.weight": torch.ones(16, 4).int()}, "no LoRA's"),
    "alphas": (lora() | {f"{KOHYA}.alpha": torch.ones(2)}, "no single number"),
}


@pytest.mark.parametrize(("tensors", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_used_is_refused_in_a_sentence(
    tensors: Tensors, sentence: str, layout: Layouts
) -> None:
    with pytest.raises(UnsafeModel, match=sentence) as refused:
        read(tensors, layout("sd15"))

    assert str(refused.value).startswith("file.safetensors ")


def test_damaged_settings_of_peft_are_refused(layout: Layouts) -> None:
    with pytest.raises(UnsafeModel, match="damaged metadata"):
        read(lora(), layout("sd15"), lora_adapter_metadata="{")


@pytest.mark.parametrize(
    "alpha", ["NaN", "Infinity", "-Infinity", "1e308", "1e20", "1" + "0" * 400]
)
def test_an_alpha_without_bounds_is_refused(alpha: str, layout: Layouts) -> None:
    names = {f"unet.{PATH}.lora_B.weight": UP, f"unet.{PATH}.lora_A.weight": DOWN}
    metadata = f'{{"unet.lora_alpha": {alpha}}}'

    with pytest.raises(UnsafeModel, match="without bounds"):
        read(names, layout("sd15"), lora_adapter_metadata=metadata)


def test_factors_whose_product_has_no_bounds_are_refused(layout: Layouts) -> None:
    names = {f"{KOHYA}.lora_up.weight": UP * 1e30, f"{KOHYA}.lora_down.weight": DOWN * 1e30}

    with pytest.raises(UnsafeModel, match="without bounds"):
        read(names, layout("sd15"))


@pytest.mark.parametrize(
    ("down", "mid"),
    [
        ((), (4, 4, 3, 3)),
        ((4,), (4, 4, 3, 3)),
        ((4, 16, 1, 1), ()),
        ((4, 16, 1, 1), (8, 4, 3, 3)),
        ((4, 16, 1, 1), (4, 4, 1000, 1000)),  # the product would have 2 GiB
    ],
)
def test_a_middle_factor_that_does_not_fit_is_refused(
    down: tuple[int, ...], mid: tuple[int, ...], layout: Layouts
) -> None:
    names = {
        f"{CONVOLUTION}.lora_up.weight": random(16, 4, 1, 1),
        f"{CONVOLUTION}.lora_down.weight": random(*down),
        f"{CONVOLUTION}.lora_mid.weight": random(*mid),
    }

    with pytest.raises(UnsafeModel, match="does not fit"):
        read(names, layout("sd15"))
