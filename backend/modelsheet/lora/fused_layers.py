"""Layers that are apart in diffusers' models and one layer in other programs: q, k and v."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from modelsheet.lora.factors import LoraFactors
from modelsheet.lora.key_mapping import KeyLayout
from modelsheet.lora.layer_shapes import LayerKey


def fuse(factors: Mapping[LayerKey, LoraFactors], layout: KeyLayout) -> dict[LayerKey, LoraFactors]:
    """Put the layers into one that other programs have in one. Where a part of it is not learnt,
    its rows of the update are zero.
    """
    apart = {part for parts in layout.fused.values() for part in parts}
    fused = {key: each for key, each in factors.items() if key not in apart}
    for key, parts in layout.fused.items():
        if any(part in factors for part in parts):
            fused[key] = _stack([factors.get(part) or _nothing(part, layout) for part in parts])
    return fused


def split_fused(
    factors: Mapping[LayerKey, LoraFactors], layout: KeyLayout
) -> dict[LayerKey, LoraFactors]:
    """Give each layer that other programs have in one its own rows of the update."""
    split: dict[LayerKey, LoraFactors] = {}
    for key, each in factors.items():
        parts = layout.fused.get(key)
        if parts is None:
            split[key] = each
            continue
        for part, up in zip(parts, np.split(each.up, len(parts)), strict=True):
            used = np.flatnonzero(up.any(axis=0))
            used = used if used.size else np.array([0])
            split[part] = LoraFactors(np.ascontiguousarray(up[:, used]), each.down[used])
    return split


def _stack(parts: Sequence[LoraFactors]) -> LoraFactors:
    """Stack updates of one input: with one `down` if they share it, else block by block, of equal
    ranks, which is how diffusers tells the blocks.
    """
    first = parts[0].down
    if all(np.array_equal(each.down, first) for each in parts):
        return LoraFactors(np.vstack([each.up for each in parts]), first)
    rank = max(each.rank for each in parts)
    padded = [each.padded(rank) for each in parts]
    rows = [each.up.shape[0] for each in parts]
    up = np.zeros((sum(rows), rank * len(parts)), np.float32)
    for index, each in enumerate(padded):
        first_row = sum(rows[:index])
        up[first_row : first_row + rows[index], index * rank : (index + 1) * rank] = each.up
    return LoraFactors(up, np.vstack([each.down for each in padded]))


def _nothing(key: LayerKey, layout: KeyLayout) -> LoraFactors:
    shape = layout.shapes[key]
    return LoraFactors(
        np.zeros((shape.rows, 1), np.float32), np.zeros((1, shape.fan_in), np.float32)
    )
