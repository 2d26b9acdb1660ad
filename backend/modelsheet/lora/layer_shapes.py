"""Names and shapes of a Stable Diffusion's layers that can have a LoRA, from its configs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

# Any: a config file is free-form JSON.
Config = Mapping[str, Any]
_SELF, _CROSS = "attn1", "attn2"


class LayerKey(NamedTuple):
    """Component ("unet", "text_encoder", "text_encoder_2") and dotted path of a layer.

    Paths are diffusers' names, of text encoders without "text_model.".
    """

    component: str
    path: str


@dataclass(frozen=True)
class LayerShape:
    """Shape of a layer's weight; `kernel` is a convolution's side in px, 0 for a linear layer."""

    rows: int
    columns: int
    kernel: int = 0

    @property
    def fan_in(self) -> int:
        return self.columns * max(1, self.kernel) ** 2


# Transformer blocks of a level: one number, or one for each of its layers (SSD-1B).
_Depth = int | list[int]
Layers = Iterator[tuple[str, LayerShape]]


def unet_layers(config: Config) -> dict[LayerKey, LayerShape]:
    """Return all linear and convolution layers of a UNet2DConditionModel."""
    unet = _UNet(config)
    return {LayerKey("unet", path): shape for path, shape in unet.layers()}


def text_encoder_layers(component: str, config: Config) -> dict[LayerKey, LayerShape]:
    """Return all linear layers of a CLIP text encoder's blocks, and the second one's projection."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    shapes = {}
    for index in range(config["num_hidden_layers"]):
        block = f"encoder.layers.{index}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes[LayerKey(component, f"{block}.self_attn.{name}")] = LayerShape(width, width)
        shapes[LayerKey(component, f"{block}.mlp.fc1")] = LayerShape(inner, width)
        shapes[LayerKey(component, f"{block}.mlp.fc2")] = LayerShape(width, inner)
    if component == "text_encoder_2":
        shapes[LayerKey(component, "text_projection")] = LayerShape(config["projection_dim"], width)
    return shapes


class _UNet:
    """Layers of a UNet2DConditionModel, derived from its config."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._channels: list[int] = list(config["block_out_channels"])
        self._time = 4 * self._channels[0]
        self._layers_per_block: int = config["layers_per_block"]
        depth = config.get("transformer_layers_per_block", 1)
        count = len(self._channels)
        depths: list[_Depth] = [depth] * count if isinstance(depth, int) else list(depth)
        self._depths = depths
        self._up_depths: list[_Depth] = list(
            config.get("reverse_transformer_layers_per_block") or depths[::-1]
        )

    def layers(self) -> Layers:
        yield from self._input_and_output_layers()
        yield from self._down_blocks()
        yield from self._mid_block()
        yield from self._up_blocks()

    def _input_and_output_layers(self) -> Layers:
        first, config = self._channels[0], self._config
        yield "conv_in", LayerShape(first, config.get("in_channels", 4), 3)
        yield "conv_out", LayerShape(config.get("out_channels", 4), first, 3)
        yield "time_embedding.linear_1", LayerShape(self._time, first)
        yield "time_embedding.linear_2", LayerShape(self._time, self._time)
        if config.get("addition_embed_type") == "text_time":
            width = config["projection_class_embeddings_input_dim"]
            yield "add_embedding.linear_1", LayerShape(self._time, width)
            yield "add_embedding.linear_2", LayerShape(self._time, self._time)

    def _down_blocks(self) -> Layers:
        before = self._channels[0]
        for index, kind in enumerate(self._config["down_block_types"]):
            block, width = f"down_blocks.{index}", self._channels[index]
            for layer in range(self._layers_per_block):
                yield from self._resnet(f"{block}.resnets.{layer}", before, width)
                if "CrossAttn" in kind:
                    yield from self._transformer(
                        f"{block}.attentions.{layer}", width, _depth(self._depths[index], layer)
                    )
                before = width
            if index + 1 < len(self._channels):
                yield f"{block}.downsamplers.0.conv", LayerShape(width, width, 3)

    def _mid_block(self) -> Layers:
        width = self._channels[-1]
        kind = self._config.get("mid_block_type", "UNetMidBlock2DCrossAttn")
        if kind:
            yield from self._resnet("mid_block.resnets.0", width, width)
        if kind == "UNetMidBlock2DCrossAttn":
            depth = _depth(self._depths[-1], 0)
            yield from self._transformer("mid_block.attentions.0", width, depth)
            yield from self._resnet("mid_block.resnets.1", width, width)

    def _up_blocks(self) -> Layers:
        widths = self._channels[::-1]
        before = widths[0]
        for index, kind in enumerate(self._config["up_block_types"]):
            block, width = f"up_blocks.{index}", widths[index]
            last = self._layers_per_block
            for layer in range(last + 1):
                # Channels of the skip connection; the last layer's comes from the next level.
                skip = widths[min(index + 1, len(widths) - 1)] if layer == last else width
                yield from self._resnet(f"{block}.resnets.{layer}", before + skip, width)
                if "CrossAttn" in kind:
                    yield from self._transformer(
                        f"{block}.attentions.{layer}", width, _depth(self._up_depths[index], layer)
                    )
                before = width
            if index + 1 < len(widths):
                yield f"{block}.upsamplers.0.conv", LayerShape(width, width, 3)

    def _resnet(self, path: str, before: int, width: int) -> Layers:
        yield f"{path}.conv1", LayerShape(width, before, 3)
        yield f"{path}.time_emb_proj", LayerShape(width, self._time)
        yield f"{path}.conv2", LayerShape(width, width, 3)
        if before != width:
            yield f"{path}.conv_shortcut", LayerShape(width, before, 1)

    def _transformer(self, path: str, width: int, depth: int) -> Layers:
        kernel = 0 if self._config.get("use_linear_projection") else 1
        for name in ("proj_in", "proj_out"):
            yield f"{path}.{name}", LayerShape(width, width, kernel)
        for index in range(depth):
            yield from self._transformer_block(f"{path}.transformer_blocks.{index}", width)

    def _transformer_block(self, path: str, width: int) -> Layers:
        context: int = self._config["cross_attention_dim"]
        for attention, columns in ((_SELF, width), (_CROSS, context)):
            yield f"{path}.{attention}.to_q", LayerShape(width, width)
            yield f"{path}.{attention}.to_k", LayerShape(width, columns)
            yield f"{path}.{attention}.to_v", LayerShape(width, columns)
            yield f"{path}.{attention}.to_out.0", LayerShape(width, width)
        yield f"{path}.ff.net.0.proj", LayerShape(8 * width, width)
        yield f"{path}.ff.net.2", LayerShape(width, 4 * width)


def _depth(level: _Depth, layer: int) -> int:
    return level if isinstance(level, int) else level[layer]
