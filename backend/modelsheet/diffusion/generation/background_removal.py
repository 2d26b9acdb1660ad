"""How the figure of a picture gets free of its background: keyed where that is flat, by the matting
model where it is not.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from modelsheet.api.generate import CutoutMethod, GenerateRequest
from modelsheet.diffusion.generation.background_colour import Backdrop
from modelsheet.diffusion.generation.matting import Matting
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.errors import ModelMissing
from modelsheet.imaging.keying import has_flat_background, key_out

_KEPT = "The prompt asks for a background, so it was kept. Leave it out to get the figure alone."
_GET_IT = "Get it with: modelsheet models download matting"
_KEYED = f"The matting model is not here, so the background was keyed. {_GET_IT}"
_UNEVEN = (
    "The background did not come out flat, and its cut-out may be rough. The matting model cuts "
    f"better there. {_GET_IT}"
)


class Cutter:
    """Cuts one job's pictures out; `said` is what the artist should know of it."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._matting: Matting | None = None
        self.said: list[str] = []

    def method_for(self, request: GenerateRequest, base: BaseModel) -> CutoutMethod:
        """What is asked for, or keying when the matting model is missing; a base of pixel art
        paints flat backgrounds. Raises UnsafeModel.
        """
        self.said.clear()
        if request.cutout == "auto" and request.transparent and base.is_pixel_art:
            return "keying"
        if request.cutout == "matting" and self._loaded() is None:
            self.said.append(_KEYED)
            return "keying"
        return request.cutout

    def cut(
        self,
        picture: Image.Image,
        backdrop: Backdrop | None,
        method: CutoutMethod,
        *,
        hard_edge: bool,
    ) -> Image.Image:
        """RGBA; without a `backdrop` the picture is a scene, which only the matting model cuts.

        Raises OutOfMemory, UnsafeModel.
        """
        if method == "matting":
            matting = self._loaded()
            assert matting is not None, "method_for looked"
            return matting.cut_out(picture, hard_edge=hard_edge)
        if backdrop is None:
            self._say(_KEPT)
            return picture
        if method == "auto" and not has_flat_background(picture, backdrop.colour):
            matting = self._loaded()
            if matting is not None:
                return matting.cut_out(picture, hard_edge=hard_edge)
            self._say(_UNEVEN)
        return key_out(picture, backdrop.colour, hard_edge=hard_edge)

    def _loaded(self) -> Matting | None:
        if self._matting is None:
            try:
                self._matting = Matting.load(self._data_dir)
            except ModelMissing:
                return None
        return self._matting

    def _say(self, sentence: str) -> None:
        if sentence not in self.said:
            self.said.append(sentence)
