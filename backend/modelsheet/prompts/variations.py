"""From one request to the single pictures it asks for. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelsheet.api.explore import Axis, AxisName
from modelsheet.api.generate import GenerateRequest
from modelsheet.prompts.syntax import choose_wildcards

_SEEDS = 2**32
_WHOLE = ("seed", "inference_steps")
_NAMES: dict[AxisName, str] = {
    "unet_scale": "UNet scale",
    "text_encoder_scale": "text encoder scale",
    "guidance_scale": "guidance",
    "inference_steps": "steps",
    "seed": "seed",
}
_SYMBOLS: dict[AxisName, str] = {
    "unet_scale": "UNet",
    "text_encoder_scale": "text",
    "guidance_scale": "guidance",
    "inference_steps": "steps",
    "seed": "seed",
}


@dataclass(frozen=True)
class Shot:
    """One picture: `request` alone, sent again, asks for it again; `label` tells it from others.

    `prompt` has its wildcards chosen.
    """

    request: GenerateRequest
    prompt: str
    label: str = ""


def plan(request: GenerateRequest) -> list[Shot]:
    """List the pictures in the order of the results: of a grid row by row. Raises InvalidRequest:
    the prompt's braces do not match.
    """
    if request.explore is not None:
        down = _steps_along(request.explore.down)
        across = _steps_along(request.explore.across)
        return [
            _shot(request, {**row, **column}, _label({**row, **column}))
            for row in down
            for column in across
        ]
    if request.poses:
        return [
            _shot(request, {"prompt": f"{request.prompt}, {pose}", **_chance(request, index)}, pose)
            for pose in request.poses
            for index in range(request.count)
        ]
    return [_shot(request, _chance(request, index)) for index in range(request.count)]


def axis_words(axis: Axis) -> tuple[str, list[str]]:
    """What stands along one side of a grid: its name, and its values."""
    return _NAMES[axis.name], [f"{value:g}" for value in axis.values]


def _steps_along(axis: Axis | None) -> list[dict[AxisName, float]]:
    if axis is None:
        return [{}]
    whole = axis.name in _WHOLE
    return [{axis.name: int(value) if whole else value} for value in axis.values]


def _chance(request: GenerateRequest, index: int) -> dict[str, object]:
    """What is different in the picture of that number: its seed, or that of its variation."""
    name = "variation_seed" if request.variation_strength else "seed"
    return {name: (getattr(request, name) + index) % _SEEDS}


def _shot(request: GenerateRequest, changes: Mapping[Any, object], label: str = "") -> Shot:
    alone = request.model_copy(update={"count": 1, "explore": None, "poses": [], **changes})
    seed = alone.variation_seed if alone.variation_strength else alone.seed
    return Shot(alone, choose_wildcards(alone.prompt, seed), label)


def _label(changes: Mapping[AxisName, float]) -> str:
    return ", ".join(f"{_SYMBOLS[name]} {value:g}" for name, value in changes.items())
