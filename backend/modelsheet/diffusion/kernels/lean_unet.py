"""Lean UNet layers: diffusers' forward passes without what Stable Diffusion never uses of them.

diffusers' layers serve many architectures: at every call they check which one this is, divide by
one and apply a dropout of zero. Small networks and small batches spend more time on that than on
arithmetic. The results are the same; layers of other architectures are left as they are.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.activations import GEGLU
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from diffusers.models.modeling_outputs import Transformer2DModelOutput
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import nn

_MOST_PAIRS = 1 << 17  # of a query and a key, for attention by plain products


class LeanResnetBlock(ResnetBlock2D):  # type: ignore[misc]
    """Norm, SiLU and convolution, twice; the timestep embedding is added between."""

    def forward(
        self, input_tensor: torch.Tensor, temb: torch.Tensor, *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        hidden = self.conv1(F.silu(self.norm1(input_tensor)))
        hidden = hidden + self.time_emb_proj(F.silu(temb))[:, :, None, None]
        hidden = self.conv2(F.silu(self.norm2(hidden)))
        residual = input_tensor if self.conv_shortcut is None else self.conv_shortcut(input_tensor)
        output: torch.Tensor = residual + hidden
        return output


class LeanTransformer(Transformer2DModel):  # type: ignore[misc]
    """Blocks of self-attention, cross-attention to the prompt, and a gated feed-forward layer."""

    def forward(
        self,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        return_dict: bool = True,
        **others: Any,
    ) -> Transformer2DModelOutput | tuple[torch.Tensor]:
        unsupported = [value for value in others.values() if value is not None and value != {}]
        if unsupported or not _is_unsliced(self):
            stock: Transformer2DModelOutput | tuple[torch.Tensor] = super().forward(
                hidden_states, encoder_hidden_states, return_dict=return_dict, **others
            )
            return stock
        tokens = self._tokens(hidden_states)
        for block in self.transformer_blocks:
            tokens = self._run_block(block, tokens, encoder_hidden_states)
        output = self._feature_map(tokens, hidden_states.shape) + hidden_states
        return Transformer2DModelOutput(sample=output) if return_dict else (output,)

    def _run_block(self, *arguments: Any) -> torch.Tensor:
        if not (torch.is_grad_enabled() and self.gradient_checkpointing):
            return _block_forward(*arguments)
        output: torch.Tensor = self._gradient_checkpointing_func(_block_forward, *arguments)
        return output

    def _tokens(self, feature_map: torch.Tensor) -> torch.Tensor:
        """Project (B, C, h, w) to tokens (B, h · w, C)."""
        normed = self.norm(feature_map)
        if self.use_linear_projection:
            projected: torch.Tensor = self.proj_in(normed.flatten(2).transpose(1, 2))
            return projected
        convolved: torch.Tensor = self.proj_in(normed)
        return convolved.flatten(2).transpose(1, 2).contiguous()

    def _feature_map(self, tokens: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        if self.use_linear_projection:
            projected: torch.Tensor = self.proj_out(tokens)
            return projected.transpose(1, 2).reshape(shape)
        convolved: torch.Tensor = self.proj_out(tokens.transpose(1, 2).reshape(shape))
        return convolved


def use_lean_layers(unet: nn.Module) -> None:
    """Switch every layer that is built like Stable Diffusion's to its lean class, for good."""
    for module in unet.modules():
        if type(module) is ResnetBlock2D and _is_plain_resnet(module):
            module.__class__ = LeanResnetBlock
        elif type(module) is Transformer2DModel and _is_plain_transformer(module):
            module.__class__ = LeanTransformer


def _block_forward(
    block: BasicTransformerBlock, tokens: torch.Tensor, context: torch.Tensor | None
) -> torch.Tensor:
    normed = block.norm1(tokens)
    tokens = _attention(block.attn1, normed, normed) + tokens
    tokens = _attention(block.attn2, block.norm2(tokens), context) + tokens
    value, gate = block.ff.net[0].proj(block.norm3(tokens)).chunk(2, dim=-1)
    output: torch.Tensor = block.ff.net[2](value * F.gelu(gate)) + tokens
    return output


def _attention(
    attention: Attention, tokens: torch.Tensor, context: torch.Tensor | None
) -> torch.Tensor:
    heads = attention.heads
    query = _split_heads(attention.to_q(tokens), heads)
    key, value = (
        _split_heads(attention.to_k(context), heads),
        _split_heads(attention.to_v(context), heads),
    )
    attended = _attend(query, key, value)
    joined: torch.Tensor = attention.to_out[0](attended.transpose(1, 2).flatten(2))
    return joined


def _attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Attend with (B, heads, tokens, C / heads). On a CPU in half precision, PyTorch's fused
    attention goes back two to ten times as slowly as plain products, unless tokens are many.
    """
    is_half = query.device.type == "cpu" and query.dtype in (torch.bfloat16, torch.float16)
    pairs = query.shape[-2] * key.shape[-2]
    if not (is_half and torch.is_grad_enabled()) or pairs > _MOST_PAIRS:
        return F.scaled_dot_product_attention(query, key, value)
    weights = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    attended: torch.Tensor = weights.softmax(-1) @ value
    return attended


def _split_heads(tokens: torch.Tensor, heads: int) -> torch.Tensor:
    """Reshape (B, tokens, C) to (B, heads, tokens, C / heads)."""
    batch, length, channels = tokens.shape
    return tokens.view(batch, length, heads, channels // heads).transpose(1, 2)


def _is_unsliced(transformer: Transformer2DModel) -> bool:
    """Return False where attention is sliced to save memory."""
    return all(
        type(attention.processor) is AttnProcessor2_0
        for block in transformer.transformer_blocks
        for attention in (block.attn1, block.attn2)
    )


def _is_plain_resnet(resnet: ResnetBlock2D) -> bool:
    return (
        resnet.time_embedding_norm == "default"
        and resnet.time_emb_proj is not None
        and not resnet.skip_time_act
        and resnet.upsample is None
        and resnet.downsample is None
        and resnet.output_scale_factor == 1.0
        and resnet.dropout.p == 0.0
        and type(resnet.nonlinearity) is nn.SiLU
    )


def _is_plain_transformer(transformer: Transformer2DModel) -> bool:
    return (
        transformer.is_input_continuous
        and transformer.inner_dim == transformer.in_channels
        and type(transformer.norm) is nn.GroupNorm
        and all(_is_plain_block(block) for block in transformer.transformer_blocks)
    )


def _is_plain_block(block: Any) -> bool:
    return (
        type(block) is BasicTransformerBlock
        and block.norm_type == "layer_norm"
        and block.pos_embed is None
        and not block.only_cross_attention
        and block.attn2 is not None
        and type(block.ff.net[0]) is GEGLU
        and block.ff.net[1].p == 0.0
        and len(block.ff.net) == 3
        and all(_is_plain_attention(attention) for attention in (block.attn1, block.attn2))
    )


def _is_plain_attention(attention: Attention) -> bool:
    unused = ("group_norm", "spatial_norm", "norm_cross", "norm_q", "norm_k")
    return (
        not any(getattr(attention, name) for name in unused)
        and not attention.residual_connection
        and attention.rescale_output_factor == 1.0
        and not attention.fused_projections
        and attention.to_out[1].p == 0.0
    )
