"""Remove the background of generated images: by keying where it is flat, else by the matting
model.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from modelsheet.api.generate import CutoutMethod, GenerateRequest
from modelsheet.diffusion.generation.background_colour import FlatBackground
from modelsheet.diffusion.generation.matting import MattingModel
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.errors import ModelMissing
from modelsheet.imaging.keying import has_flat_background, key_out, opaque_border

_KEPT = "The prompt asks for a background, so it was kept. Leave it out to get the figure alone."
_SCENE = (
    "What the pictures begin with has a background, so it was kept. To get the figure alone, start "
    "from its own layer or from an empty picture."
)
_GET_IT = "Get it with: modelsheet models download matting"
_KEYED = f"The matting model is not here, so the background was keyed. {_GET_IT}"
_UNEVEN = (
    "The background did not come out flat, and its cut-out may be rough. The matting model cuts "
    f"better there. {_GET_IT}"
)
_LEFT = (
    "The background did not come out flat, so a part of it was left. Paint again with another "
    "seed, or erase it by hand."
)
_LARGEST_OPAQUE_BORDER = 0.4  # share; a figure that fills its frame touches less of the border


class BackgroundRemover:
    """Removes the backgrounds of one job's images; `warnings` are sentences for its user."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._matting: MattingModel | None = None
        self.warnings: list[str] = []

    def choose_method(self, request: GenerateRequest, base: BaseModel) -> CutoutMethod:
        """Return the requested method, or keying when the matting model is missing; a base of pixel
        art generates flat backgrounds. Forgets the last job's warnings. Raises UnsafeModel.
        """
        self.warnings.clear()
        if request.cutout == "auto" and request.transparent and base.is_pixel_art:
            return "keying"
        if request.cutout == "matting" and self._matting_model() is None:
            self.warnings.append(_KEYED)
            return "keying"
        return request.cutout

    def remove(
        self,
        image: Image.Image,
        background: FlatBackground | None,
        method: CutoutMethod,
        *,
        hard_edge: bool,
    ) -> Image.Image:
        """Return the figure alone, RGBA; without a flat `background` only the matting model can.

        Raises OutOfMemory, UnsafeModel.
        """
        if method == "matting":
            matting = self._matting_model()
            assert matting is not None, "choose_method falls back to keying"
            return matting.cut_out(image, hard_edge=hard_edge)
        if background is None:
            self._warn(_KEPT)
            return image
        is_flat = has_flat_background(image, background.colour)
        if method == "auto" and not is_flat:
            matting = self._matting_model()
            if matting is not None:
                return matting.cut_out(image, hard_edge=hard_edge)
            self._warn(_UNEVEN)
        figure = key_out(image, background.colour, hard_edge=hard_edge)
        if method == "keying" and not (is_flat and opaque_border(figure) <= _LARGEST_OPAQUE_BORDER):
            self._warn(_LEFT)
        return figure

    def remove_scenery(
        self, image: Image.Image, method: CutoutMethod, *, hard_edge: bool
    ) -> Image.Image:
        """Return the figure alone, RGBA, if the matting model may and can cut it out of a scene."""
        matting = self._matting_model() if method == "auto" else None
        if matting is None:
            self._warn(_SCENE)
            return image
        return matting.cut_out(image, hard_edge=hard_edge)

    def _matting_model(self) -> MattingModel | None:
        if self._matting is None:
            try:
                self._matting = MattingModel.load(self._data_dir)
            except ModelMissing:
                return None
        return self._matting

    def _warn(self, sentence: str) -> None:
        if sentence not in self.warnings:
            self.warnings.append(sentence)
