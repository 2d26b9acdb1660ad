"""What a request paints on: a new picture, a changed one, a selection in one, or a stage with
several places; and how what was painted becomes the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from PIL import Image

from modelsheet.api.generate import GenerateRequest, MaskRef
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.sampling.denoise import Start
from modelsheet.diffusion.sampling.plain_generation import good_size, scaled_to, size_step
from modelsheet.errors import InvalidRequest
from modelsheet.imaging.inpainting import Place, cut_out, free_cells, mask_of, place_for, put_back
from modelsheet.imaging.regions import Stage, set_stage
from modelsheet.imaging.rgba import Colour, Size, composite, resize
from modelsheet.jobs.blob_images import read_picture
from modelsheet.jobs.protocol import JobContext

_CHANGED = 0.6  # the usual strength of image to image: its composition stays, its details change


@dataclass(frozen=True)
class Canvas:
    """`size` px are painted; `wanted` is the result's size, None what comes of that."""

    size: Size
    wanted: Size | None
    strength: float
    picture: Image.Image | None = None
    mask: Image.Image | None = None
    place: Place | None = None
    stage: Stage | None = None

    @property
    def is_untouched(self) -> bool:
        """Whether strength 0 asks for the very picture that was given."""
        return self.picture is not None and self.strength == 0.0


def open_canvas(base: BaseModel, request: GenerateRequest, context: JobContext) -> Canvas:
    """Raises InvalidImages: a selection is empty, or bytes are missing."""
    picture = read_picture(request.init_image, context) if request.init_image else None
    strength = request.strength
    if strength is None:
        strength = _CHANGED if picture is not None and request.mask is None else 1.0
    masks = [_read_mask(region.mask, context) for region in request.regions]
    if masks:
        stage = set_stage(masks, base.resolution, size_step(base), base.latent_factor)
        return Canvas(stage.size, masks[0].size, strength, picture, stage=stage)
    if picture is not None and request.mask is not None:
        mask = _read_mask(request.mask, context)
        place = place_for(
            mask,
            partial(good_size, base),
            alone=request.transparent,
            pixel_art=base.is_pixel_art,
        )
        return Canvas(place.size, picture.size, strength, picture, mask, place)
    asked = (request.width, request.height)
    if picture is None:
        size = good_size(base, *asked)
        return Canvas(size, _filled(asked, size) if any(asked) else None, strength)
    size = good_size(base, *picture.size)
    return Canvas(size, _filled(asked, picture.size), strength, picture)


def _filled(asked: Size, otherwise: Size) -> Size:
    """A side that was left open is that of the other size."""
    return asked[0] or otherwise[0], asked[1] or otherwise[1]


def _read_mask(mask: MaskRef, context: JobContext) -> Image.Image:
    return mask_of(context.read_blob(mask.blob), mask.width, mask.height)


def check_pixel_art(base: BaseModel, request: GenerateRequest, canvas: Canvas) -> None:
    """Raises InvalidRequest: pixels would have to be of unequal size."""
    if request.pixel_art is None or canvas.wanted is None or not base.is_pixel_art:
        return
    if canvas.place is not None:  # its square is a multiple by choice
        return
    (width, height), (across, down) = canvas.wanted, canvas.size
    if width % across or height % down or width // across != height // down:
        raise InvalidRequest(
            f"Pixel art is enlarged by whole numbers only; {width} × {height} is no multiple of "
            f"the {across} × {down} that it is painted at. Take a multiple, or leave the size open."
        )


def start_on(base: BaseModel, canvas: Canvas, paper: Colour, *, alone: bool) -> Start | None:
    """What the sampler begins with, for one picture; `alone` leaves the context of a selection out.

    Transparent parts of the picture are painted over `paper`.
    """
    if canvas.picture is None or (canvas.place is not None and alone):
        return None
    if canvas.place is None:
        seen = resize(canvas.picture, *canvas.size)
        return Start(_encoded(base, composite(seen, paper)), canvas.strength)
    assert canvas.mask is not None
    free = free_cells(canvas.mask, canvas.place, base.latent_factor)
    latents = _encoded(base, cut_out(canvas.picture, canvas.place, paper))
    return Start(latents, canvas.strength, torch.from_numpy(free).to(base.device))


def _encoded(base: BaseModel, picture: Image.Image) -> torch.Tensor:
    levels = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)[None]
    return base.encode_images(levels.float() / 127.5 - 1)


def settle(canvas: Canvas, painted: Image.Image, *, patch: bool, pixel_art: bool) -> Image.Image:
    """Bring what was painted (RGB or RGBA) to its place and size."""
    if canvas.place is None:
        wanted = canvas.wanted or painted.size
        return scaled_to(painted, *wanted, pixel_art=pixel_art)
    assert canvas.picture is not None
    assert canvas.mask is not None
    return put_back(
        canvas.picture, painted, canvas.place, canvas.mask, patch=patch, pixel_art=pixel_art
    )


def untouched(canvas: Canvas, *, patch: bool) -> Image.Image:
    """The given picture, as it is; of a patch what lies in the selection."""
    assert canvas.picture is not None
    if not patch or canvas.mask is None:
        return canvas.picture
    rgba = np.array(canvas.picture)
    share = np.asarray(canvas.mask, dtype=np.float32) / 255
    rgba[..., 3] = (rgba[..., 3] * share).round()
    return Image.fromarray(rgba)
