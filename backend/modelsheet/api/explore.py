"""Explore a grid of images: one or two axes of generation parameters and their values."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from modelsheet.api.types import AdapterScale, GuidanceScale, InferenceSteps, Model, Seed
from modelsheet.api.validation_messages import validation_message

AxisName = Literal["unet_scale", "text_encoder_scale", "guidance_scale", "inference_steps", "seed"]
MAX_RESULTS = 64
_ADMITTED: dict[AxisName, TypeAdapter[Any]] = {
    "unet_scale": TypeAdapter(AdapterScale),
    "text_encoder_scale": TypeAdapter(AdapterScale),
    "guidance_scale": TypeAdapter(GuidanceScale),
    "inference_steps": TypeAdapter(InferenceSteps),
    "seed": TypeAdapter(Seed),
}


class Axis(Model):
    """What changes along one side of a grid, and the values it takes."""

    name: AxisName
    values: Annotated[list[float], Field(min_length=1, max_length=16)]

    @model_validator(mode="after")
    def _values_are_admitted(self) -> Axis:
        admitted = _ADMITTED[self.name]
        for value in self.values:
            try:
                admitted.validate_python(value)
            except ValidationError as error:
                said = validation_message(error.errors()[0])
                name = self.name.replace("_", " ")
                raise ValueError(f"{name} {value:g}: it {said}") from None
        return self


class Explore(Model):
    """A grid of pictures instead of `count` of them, row by row; everything else stays the same."""

    across: Axis
    down: Axis | None = None

    @model_validator(mode="after")
    def _is_a_grid(self) -> Explore:
        cells = len(self.across.values) * (len(self.down.values) if self.down else 1)
        if cells > MAX_RESULTS:
            raise ValueError(f"a grid has at most {MAX_RESULTS} cells, not {cells}")
        if self.down is not None and self.down.name == self.across.name:
            raise ValueError("the two sides of a grid must differ in what changes along them")
        return self
