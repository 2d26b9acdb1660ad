"""Define the layers of the motion model: convolutions, attention, rotary positions.

Shapes: B characters, T wanted poses, C channels, L and M tokens.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelsheet.motion.figures.pictures import SIZE


class PixelLinear(nn.Conv2d):
    """A 1 × 1 convolution as a matrix product: fast on a CPU when channels lie last."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.movedim(1, -1), self.weight.flatten(1), self.bias).movedim(-1, 1)


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions, scaled and shifted by the condition (B, E)."""

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.film = nn.Linear(condition, 2 * outputs)
        self.norm2 = nn.GroupNorm(8, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = PixelLinear(inputs, outputs) if inputs != outputs else nn.Identity()
        for layer in (self.film, self.conv2):
            _zero(layer)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h: Tensor = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, dim=1)
        h = self.norm2(h) * (1 + scale) + shift
        out: Tensor = self.skip(x) + self.conv2(F.silu(h))
        return out


class Attention(nn.Module):
    """Multi-head attention of x (B, L, C) to itself or to a context (B, M, D).

    `norm_context` is idle in self-attention; it stays because trained weights have it.
    """

    def __init__(self, channels: int, context: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.norm_context = nn.LayerNorm(context)
        self.query = nn.Linear(channels, channels, bias=False)
        self.key_value = nn.Linear(context, 2 * channels, bias=False)
        self.output = nn.Linear(channels, channels)
        _zero(self.output)

    def forward(
        self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        own = self.norm(x)
        source = own if context is None else self.norm_context(context)
        key, value = self.key_value(source).chunk(2, dim=-1)
        h = F.scaled_dot_product_attention(
            self._split(self.query(own)), self._split(key), self._split(value), attn_mask=mask
        )
        out: Tensor = x + self.output(h.transpose(1, 2).flatten(2))
        return out

    def _split(self, x: Tensor) -> Tensor:
        """Split channels into heads: (B, L, C) to (B, heads, L, C / heads)."""
        heads: Tensor = x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        return heads


class FeedForward(nn.Module):
    """Two linear layers with a residual connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Linear(2 * channels, channels)
        self.layers = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, 2 * channels), nn.GELU(), last
        )
        nn.init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layers(x)
        return out


class AttentionBlock(nn.Module):
    """Self-attention inside each picture, then, where asked, attention to all drawings' tokens."""

    def __init__(self, channels: int, context: int | None, heads: int) -> None:
        super().__init__()
        self.own = Attention(channels, channels, heads)
        self.cross = Attention(channels, context, heads) if context else None
        self.feed = FeedForward(channels)

    def forward(
        self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """Attend; x (B * T, C, h, w), context (B, M, D), mask (B, 1, 1, M)."""
        height, width = x.shape[2:]
        h: Tensor = self.own(x.flatten(2).transpose(1, 2))
        if self.cross is not None and context is not None:
            together = h.reshape(context.shape[0], -1, h.shape[-1])
            h = self.cross(together, context, mask).reshape(h.shape)
        h = self.feed(h)
        out: Tensor = h.transpose(1, 2).unflatten(2, (height, width))
        return out.contiguous(memory_format=torch.channels_last)


class Upsample(nn.Module):
    """Twice the size by repetition, joined with the skip of that size."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.below = PixelLinear(inputs, outputs)
        self.skip = PixelLinear(skip, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        larger = F.interpolate(self.below(x), scale_factor=2.0, mode="nearest")
        out: Tensor = larger + self.skip(skip)
        return out


class RotaryPosition(nn.Module):
    """Rotation of pairs of channels by column and row: products depend on displacements."""

    cos: Tensor
    sin: Tensor

    def __init__(self, frequencies: int) -> None:
        super().__init__()
        waves = torch.logspace(math.log10(128), math.log10(2.6), frequencies)  # pixels
        ramp = torch.arange(SIZE) * (2 * math.pi / waves[:, None])  # (frequencies, 64)
        columns = ramp[:, None, :].expand(-1, SIZE, -1)
        rows = ramp[:, :, None].expand(-1, -1, SIZE)
        angle = torch.cat([columns, rows])  # (2 * frequencies, 64, 64)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Rotate x (..., 4 * frequencies, 64, 64), real parts first."""
        real, imaginary = x.chunk(2, dim=-3)
        return torch.cat(
            [real * self.cos - imaginary * self.sin, real * self.sin + imaginary * self.cos],
            dim=-3,
        )


def _zero(layer: nn.Linear | nn.Conv2d) -> None:
    """Let a residual branch begin as nothing."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
