"""Explore a grid of images: one or two axes of generation parameters and their values."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from modelsheet.api.types import AdapterScale, ApiModel, GuidanceScale, InferenceSteps, Seed
from modelsheet.api.validation_messages import validation_message

AxisName = Literal["unet_scale", "text_encoder_scale", "guidance_scale", "inference_steps", "seed"]
MAX_RESULTS = 64
_VALUE_TYPES: dict[AxisName, TypeAdapter[Any]] = {
    "unet_scale": TypeAdapter(AdapterScale),
    "text_encoder_scale": TypeAdapter(AdapterScale),
    "guidance_scale": TypeAdapter(GuidanceScale),
    "inference_steps": TypeAdapter(InferenceSteps),
    "seed": TypeAdapter(Seed),
}


class Axis(ApiModel):
    """One side of a grid: a parameter and the values it takes."""

    name: AxisName
    values: Annotated[list[float], Field(min_length=1, max_length=16)]

    @model_validator(mode="after")
    def _check_values(self) -> Axis:
        value_type = _VALUE_TYPES[self.name]
        for value in self.values:
            try:
                value_type.validate_python(value)
            except ValidationError as error:
                message = validation_message(error.errors()[0])
                name = self.name.replace("_", " ")
                raise ValueError(f"{name} {value:g}: it {message}") from None
        return self


class Explore(ApiModel):
    """Generate a grid of images, row by row, that differ only in the parameters of its axes."""

    across: Axis
    down: Axis | None = None

    @model_validator(mode="after")
    def _check_grid(self) -> Explore:
        cells = len(self.across.values) * (len(self.down.values) if self.down else 1)
        if cells > MAX_RESULTS:
            raise ValueError(f"a grid has at most {MAX_RESULTS} cells, not {cells}")
        if self.down is not None and self.down.name == self.across.name:
            raise ValueError("the two sides of a grid must differ in what changes along them")
        return self
