"""Compute the training loss: is the chosen pixel of the true colour, and is the outline right.

Shapes: b or B characters, T targets, P sampled pixels, Q = T * P, S pixels of the drawings,
K channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from modelsheet.motion.network.colours import code_colours, colour_codes, palette_log_probability
from modelsheet.motion.network.model import Prediction, Sources

_IMPOSSIBLE = -1e4  # a log probability
_TINY = 1e-30
_WORST = -20.0  # pixels beyond it give no gradient: nothing near them is right
_ALPHA_WEIGHT = 5.0
_HIT = -0.693  # log of a half


class PointedLogProbability(torch.autograd.Function):
    """Log of the attention's share on keys of the right colour: one exponential, little kept."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, match: Tensor, present: Tensor) -> Tensor:
        """Compute (b, Q) of queries (b, Q, K), keys (b, S, K), match (b, Q, S), present (b, S)."""
        weights = queries @ keys.transpose(1, 2)
        weights.sub_(weights.amax(2, keepdim=True)).exp_().mul_(present[:, None])
        total = weights.sum(2).clamp_(min=_TINY)
        right = (weights * match).sum(2).clamp_(min=_TINY)
        ctx.save_for_backward(queries, keys, match, weights, total, right)
        return right.log() - total.log()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        queries, keys, match, weights, total, right = ctx.saved_tensors
        logits = match * (gradient / right)[..., None]
        logits.sub_((gradient / total)[..., None]).mul_(weights)
        return logits @ keys, logits.transpose(1, 2) @ queries, None, None


@dataclass
class Losses:
    """The parts of the loss, scalars."""

    total: Tensor
    colour: Tensor  # -log probability of the true colour, where a drawing has it
    alpha: Tensor
    paint: Tensor
    hit: Tensor  # share of pixels where pointing alone gives the true colour more than half


@dataclass
class SampledPixels:
    """The pixels of targets whose colour is trained."""

    true: Tensor  # (b, Q) colour codes
    queries: Tensor  # (b, Q, K)
    paint: Tensor  # (b, Q, 4)
    sharpness: Tensor  # (b, Q)
    gate: Tensor  # (b, Q)

    def of(self, rows: Tensor) -> SampledPixels:
        """Select characters."""
        return SampledPixels(
            self.true[rows],
            self.queries[rows],
            self.paint[rows],
            self.sharpness[rows],
            self.gate[rows],
        )


def motion_loss(
    sources: Sources, prediction: Prediction, targets: Tensor, samples: int = 256, chunk: int = 1
) -> Losses:
    """Compute the loss of targets, RGBA bytes (B, T, 4, 64, 64), at `samples` pixels of each.

    `chunk` characters are padded together: one on a CPU, many on a GPU.
    """
    codes = colour_codes(targets)
    pixels = sample_pixels(prediction, codes, samples)
    amounts = (sources.codes > 0).flatten(1).sum(1)
    parts = amounts.argsort().split(chunk)
    results = [
        colour_log_probability(
            pixels.of(rows), *gather_opaque(sources.codes[rows], sources.keys[rows])
        )
        for rows in parts
    ]
    log, pointed, known = (torch.cat(part) for part in zip(*results, strict=True))
    use = (known & (pixels.true[torch.cat(parts)] > 0)).float()
    count = use.sum().clamp(min=1)
    colour = -(log.clamp(min=_WORST) * use).sum() / count
    hit = ((pointed.detach() > _HIT) * use).sum() / count
    alpha = F.binary_cross_entropy_with_logits(prediction.alpha, (codes > 0).float())
    paint = _paint_loss(pixels)
    return Losses(colour + _ALPHA_WEIGHT * alpha + paint, colour, alpha, paint, hit)


def colour_log_probability(
    pixels: SampledPixels, codes: Tensor, keys: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute how likely the true colours are; source codes (b, S) and keys (b, S, K).

    Returns, all (b, Q), the log probability, that of pointing alone, and whether any drawing has
    the colour.
    """
    match = codes[:, None] == pixels.true[..., None]
    apply: Callable[..., Tensor] = PointedLogProbability.apply
    pointed = apply(pixels.queries, keys, match, codes > 0)
    table, colours = palettes(codes)
    same = table[:, None] == pixels.true[..., None]
    known = (same & (table > 0)[:, None]).any(2)
    painted = palette_log_probability(pixels.paint, pixels.sharpness, colours)
    painted = painted.masked_fill(~same, _IMPOSSIBLE).amax(2)
    gate = pixels.gate
    total = torch.logaddexp(F.logsigmoid(gate) + pointed, F.logsigmoid(-gate) + painted)
    return total, pointed, known


def gather_opaque(codes: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """Gather opaque pixels of codes (b, N, 64, 64) and keys (b, N, K, 64, 64), padded by 0.

    Returns codes (b, S) and keys (b, S, K).
    """
    flat = codes.flatten(1)
    size = int((flat > 0).sum(1).max())
    order = (flat > 0).int().argsort(dim=1, descending=True, stable=True)[:, :size]
    points = keys.permute(0, 1, 3, 4, 2).flatten(1, 3)
    chosen = points.gather(1, order[..., None].expand(-1, -1, points.shape[-1]))
    return flat.gather(1, order), chosen


def palettes(codes: Tensor) -> tuple[Tensor, Tensor]:
    """List the distinct codes of each row of (b, S).

    Returns codes (b, colours) padded by 0, and RGBA (b, colours, 4) in 0..1, far away where padded.
    """
    unique = [row[row > 0].unique() for row in codes]
    table = torch.nn.utils.rnn.pad_sequence(unique, batch_first=True)
    colours = code_colours(table).float() / 255
    return table, colours.masked_fill((table == 0)[..., None], 1e3)


def sample_pixels(prediction: Prediction, codes: Tensor, number: int) -> SampledPixels:
    """Sample pixels of the figures in codes (B, T, 64, 64); clear ones only where those run out."""
    flat = codes.flatten(2)
    index = (torch.rand(flat.shape, device=flat.device) + (flat > 0)).topk(number, dim=2).indices
    scalars = _pick(torch.stack([prediction.sharpness, prediction.gate], dim=2), index)
    return SampledPixels(
        true=flat.gather(2, index).flatten(1),
        queries=_pick(prediction.queries, index),
        paint=_pick(prediction.paint, index),
        sharpness=scalars[..., 0],
        gate=scalars[..., 1],
    )


def _pick(x: Tensor, index: Tensor) -> Tensor:
    """Pick x (B, T, C, 64, 64) at pixels (B, T, P); returns (B, T * P, C)."""
    flat = x.flatten(3)
    taken = flat.gather(3, index[:, :, None].expand(-1, -1, flat.shape[2], -1))
    return taken.transpose(2, 3).flatten(1, 2)


def _paint_loss(pixels: SampledPixels) -> Tensor:
    """Average the L1 distance of painted to true colours over the figures' pixels."""
    inside = (pixels.true > 0).float()[..., None]
    wanted = code_colours(pixels.true).float() / 255
    return ((pixels.paint - wanted).abs() * inside).sum() / (4 * inside.sum().clamp(min=1))
