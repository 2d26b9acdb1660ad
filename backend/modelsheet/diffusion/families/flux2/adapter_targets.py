"""The layers of FLUX.2's transformer that get a LoRA, by the ends of their names."""

from __future__ import annotations

from typing import Any

from modelsheet.diffusion.models.hyperparameters import AdapterShape

# Double blocks, of the picture's stream alone, and single blocks, whose attention and feed-forward
# layers share one projection.
_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "to_qkv_mlp_proj")
_FEED_FORWARD = ("ff.linear_in", "ff.linear_out")


def transformer_layers(transformer: Any, shape: AdapterShape) -> tuple[str, ...]:
    # By number: "attn.to_out" would be a list of layers in double blocks.
    count = len(transformer.single_transformer_blocks)
    single = tuple(f"single_transformer_blocks.{index}.attn.to_out" for index in range(count))
    return _ATTENTION + single + (_FEED_FORWARD if shape.feed_forward else ())
