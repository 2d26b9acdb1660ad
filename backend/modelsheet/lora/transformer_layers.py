"""Names and shapes of the layers that can have a LoRA in a transformer of double and single
blocks, from its config, and the key layout of its adapters.
"""

from __future__ import annotations

from modelsheet.api.types import Family
from modelsheet.lora.key_mapping import TRANSFORMER, KeyLayout
from modelsheet.lora.layer_shapes import Config, LayerKey, Layers, LayerShape

_PREFIXES = ("lora_unet_", "lora_transformer_", "lycoris_")  # kohya's, OneTrainer's, LyCORIS'
# Layers of a block: diffusers' names, and those of the original code. Of a double block the first
# stream is the picture's, the second the text's; the original has one layer for q, k and v.
_STREAMS = (
    ("img", ("to_q", "to_k", "to_v"), "to_out.0", "ff"),
    ("txt", ("add_q_proj", "add_k_proj", "add_v_proj"), "to_add_out", "ff_context"),
)
_ENDS = {
    "x_embedder": "img_in",
    "context_embedder": "txt_in",
    "time_guidance_embed.timestep_embedder.linear_1": "time_in.in_layer",
    "time_guidance_embed.timestep_embedder.linear_2": "time_in.out_layer",
    "double_stream_modulation_img.linear": "double_stream_modulation_img.lin",
    "double_stream_modulation_txt.linear": "double_stream_modulation_txt.lin",
    "single_stream_modulation.linear": "single_stream_modulation.lin",
    "proj_out": "final_layer.linear",
}


def make_transformer_layout(family: Family, config: Config) -> KeyLayout:
    """Build the key layout of a base model from its transformer's config."""
    shapes = {LayerKey(TRANSFORMER, path): shape for path, shape in _layers(config)}
    original = {LayerKey(TRANSFORMER, path): name for path, name in _original_paths(config)}
    fused = {
        LayerKey(TRANSFORMER, f"double_blocks.{index}.{stream}_attn.qkv"): tuple(
            LayerKey(TRANSFORMER, f"transformer_blocks.{index}.attn.{name}") for name in names
        )
        for index in range(config["num_layers"])
        for stream, names, _, _ in _STREAMS
    }
    inner = _width(config)
    shapes |= {key: LayerShape(len(parts) * inner, inner) for key, parts in fused.items()}
    paths = {key.path: key for key in shapes} | {path: key for key, path in original.items()}
    by_flat_name = {
        prefix + path.replace(".", "_"): key for prefix in _PREFIXES for path, key in paths.items()
    }
    by_path = {path: key for path, key in paths.items() if path != key.path or key in fused}
    return KeyLayout(family, shapes, original, by_flat_name, by_path, TRANSFORMER, fused)


def _width(config: Config) -> int:
    return int(config["num_attention_heads"] * config["attention_head_dim"])


def _layers(config: Config) -> Layers:
    """Yield all linear layers but that of the last norm, whose halves the formats order unlike."""
    inner, inputs = _width(config), config["in_channels"]
    hidden = int(inner * config["mlp_ratio"])
    yield "x_embedder", LayerShape(inner, inputs)
    yield "context_embedder", LayerShape(inner, config["joint_attention_dim"])
    yield "proj_out", LayerShape(config.get("out_channels") or inputs, inner)
    embedder = "time_guidance_embed.timestep_embedder"
    yield f"{embedder}.linear_1", LayerShape(inner, config["timestep_guidance_channels"])
    yield f"{embedder}.linear_2", LayerShape(inner, inner)
    for name, sets in (("double_stream_modulation_img", 2), ("double_stream_modulation_txt", 2)):
        yield f"{name}.linear", LayerShape(3 * sets * inner, inner)
    yield "single_stream_modulation.linear", LayerShape(3 * inner, inner)
    for index in range(config["num_layers"]):
        block = f"transformer_blocks.{index}"
        for _, attention, output, feed_forward in _STREAMS:
            for name in (*attention, output):
                yield f"{block}.attn.{name}", LayerShape(inner, inner)
            yield f"{block}.{feed_forward}.linear_in", LayerShape(2 * hidden, inner)
            yield f"{block}.{feed_forward}.linear_out", LayerShape(inner, hidden)
    for index in range(config["num_single_layers"]):
        block = f"single_transformer_blocks.{index}.attn"
        yield f"{block}.to_qkv_mlp_proj", LayerShape(3 * inner + 2 * hidden, inner)
        yield f"{block}.to_out", LayerShape(inner, inner + hidden)


def _original_paths(config: Config) -> list[tuple[str, str]]:
    """List diffusers' names of layers with the original ones, where each has one of its own."""
    found = list(_ENDS.items())
    for index in range(config["num_layers"]):
        block, original = f"transformer_blocks.{index}", f"double_blocks.{index}"
        for stream, _, output, feed_forward in _STREAMS:
            found += [
                (f"{block}.attn.{output}", f"{original}.{stream}_attn.proj"),
                (f"{block}.{feed_forward}.linear_in", f"{original}.{stream}_mlp.0"),
                (f"{block}.{feed_forward}.linear_out", f"{original}.{stream}_mlp.2"),
            ]
    for index in range(config["num_single_layers"]):
        block, original = f"single_transformer_blocks.{index}.attn", f"single_blocks.{index}"
        found += [
            (f"{block}.to_qkv_mlp_proj", f"{original}.linear1"),
            (f"{block}.to_out", f"{original}.linear2"),
        ]
    return found
