"""Split a generate request into requests for one image each: grid cells, poses, seeds. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelsheet.api.explore import Axis, AxisName
from modelsheet.api.generate import GenerateRequest
from modelsheet.prompts.syntax import expand_wildcards

_SEEDS = 2**32
_INTEGER_AXES = ("seed", "inference_steps")
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
class ImageRequest:
    """One image of a request: `request` sent by itself generates the same image again; `label`
    names its grid cell or pose. The wildcards of `prompt` are expanded.
    """

    request: GenerateRequest
    prompt: str
    label: str = ""


def image_requests(request: GenerateRequest) -> list[ImageRequest]:
    """List the images in the order of the results, a grid's row by row.

    Raises InvalidRequest when the prompt's braces do not match.
    """
    if request.explore is not None:
        down = _axis_updates(request.explore.down)
        across = _axis_updates(request.explore.across)
        return [
            _image_request(request, {**row, **column}, _label({**row, **column}))
            for row in down
            for column in across
        ]
    if request.poses:
        return [
            _image_request(
                request, {"prompt": f"{request.prompt}, {pose}", **_seed(request, index)}, pose
            )
            for pose in request.poses
            for index in range(request.count)
        ]
    return [_image_request(request, _seed(request, index)) for index in range(request.count)]


def axis_labels(axis: Axis) -> tuple[str, list[str]]:
    """Return the name of a grid's axis and the labels of its values."""
    return _NAMES[axis.name], [f"{value:g}" for value in axis.values]


def wildcard_seed(request: GenerateRequest) -> int:
    """Return the seed that differs between the images of a request, and chooses wildcards."""
    return request.variation_seed if request.variation_strength else request.seed


def _axis_updates(axis: Axis | None) -> list[dict[AxisName, float]]:
    if axis is None:
        return [{}]
    is_integer = axis.name in _INTEGER_AXES
    return [{axis.name: int(value) if is_integer else value} for value in axis.values]


def _seed(request: GenerateRequest, index: int) -> dict[str, object]:
    """Return the update of the seed, or variation seed, for the image of that number."""
    name = "variation_seed" if request.variation_strength else "seed"
    return {name: (getattr(request, name) + index) % _SEEDS}


def _image_request(
    request: GenerateRequest, updates: Mapping[Any, object], label: str = ""
) -> ImageRequest:
    alone = request.model_copy(update={"count": 1, "explore": None, "poses": [], **updates})
    return ImageRequest(alone, expand_wildcards(alone.prompt, wildcard_seed(alone)), label)


def _label(updates: Mapping[AxisName, float]) -> str:
    return ", ".join(f"{_SYMBOLS[name]} {value:g}" for name, value in updates.items())
