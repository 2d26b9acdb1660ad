"""Canvas of a generate request: its size, its initial image, mask or regions (text-to-image, image-
to-image, inpainting, regional prompts), and the part of the initial image that is generated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch
from PIL import Image

from modelsheet.api.generate import GenerateRequest, MaskRef
from modelsheet.diffusion.generation.background_colour import asks_for_scenery
from modelsheet.diffusion.generation.region_windows import RegionCanvas, plan_regions
from modelsheet.diffusion.models.base_model import BaseModel, image_tensor
from modelsheet.diffusion.sampling.denoise import InitLatents
from modelsheet.errors import InvalidRequest
from modelsheet.imaging.figure_placement import find_figure, pixel_size_of
from modelsheet.imaging.inpainting import (
    Box,
    InpaintingCrop,
    choose_crop,
    choose_pixel_art_crop,
    crop_box,
    latent_mask,
    mask_bounds,
    read_mask,
)
from modelsheet.imaging.rgba import Colour, Size, composite, is_empty, resize
from modelsheet.jobs.blob_images import read_image
from modelsheet.jobs.protocol import JobContext

_IMG2IMG_STRENGTH = 0.6  # the composition of the initial image stays, its details change
_WHITE: Colour = (255, 255, 255)
_LARGEST_FACTOR = 1.5  # beyond this a base repeats its subject
_NO_FIGURE = (
    "No figure could be told from the background there, so a new one was painted and the strength "
    "did not count. To change a figure, start from its own layer."
)


@dataclass(frozen=True)
class Canvas:
    """Images are generated at `size` px and brought to `result_size`, None leaves them so.

    `picture` is what the request gives, `init_image` what its images begin with, of the same size:
    the picture, the figure on it (`is_figure`, RGBA), or None for noise. A new figure is fitted
    into `figure_box` of the picture, in pixels of `pixel_size`. With `keeps_scenery` nothing is cut
    out.
    """

    size: Size
    result_size: Size | None
    strength: float
    picture: Image.Image | None = None
    init_image: Image.Image | None = None
    is_figure: bool = False
    mask: Image.Image | None = None
    crop: InpaintingCrop | None = None
    regions: RegionCanvas | None = None
    figure_box: Box | None = None
    pixel_size: int = 0
    keeps_scenery: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def is_unchanged(self) -> bool:
        """True when strength 0 asks for the very image that was given."""
        return self.picture is not None and self.strength == 0.0

    @property
    def keeps_something(self) -> bool:
        """True when images begin with something of the picture, and not all of it may change."""
        return self.init_image is not None and self.strength < 1 and not is_empty(self.init_image)


def make_canvas(base: BaseModel, request: GenerateRequest, context: JobContext) -> Canvas:
    """Read the request's image and masks, and choose the size to generate at.

    Raises InvalidImages when a mask is empty, or bytes are missing.
    """
    picture = read_image(request.init_image, context) if request.init_image else None
    strength = request.strength
    if strength is None:
        strength = _IMG2IMG_STRENGTH if picture is not None and request.mask is None else 1.0
    masks = [_read_mask(region.mask, context) for region in request.regions]
    if masks:
        regions = plan_regions(masks, base.resolution, base.size_multiple, base.latent_factor)
        whole = InpaintingCrop((0, 0, *picture.size), regions.size) if picture else None
        size = masks[0].size
        return Canvas(regions.size, size, strength, picture, picture, crop=whole, regions=regions)
    requested = (request.width, request.height)
    if picture is None:
        requested = _in_proportion(requested, (base.resolution, base.resolution))
        size = generation_size(base, *requested)
        return Canvas(size, requested if any(requested) else None, strength)
    mask = _read_mask(request.mask, context) if request.mask is not None else None
    area = mask_bounds(mask) if mask is not None else (0, 0, *picture.size)
    canvas = Canvas(
        size=(0, 0),
        result_size=_in_proportion(requested, picture.size) if any(requested) else picture.size,
        strength=strength,
        picture=picture,
        init_image=picture,
        mask=mask,
        pixel_size=pixel_size_of(picture) if base.is_pixel_art else 0,
    )
    if strength and wants_figure_alone(base, request):
        canvas = _with_figure_alone(base, canvas, area)
    if canvas.init_image is None:
        return replace(canvas, size=generation_size(base, 0, 0))
    if canvas.is_figure and mask is None:
        area = canvas.init_image.getchannel("A").getbbox() or area
    crop = _choose_crop(base, canvas, area)
    return replace(canvas, size=crop.size, crop=crop)


def wants_figure_alone(base: BaseModel, request: GenerateRequest) -> bool:
    """Return True for a cut-out by keying; the matting model also cuts figures out of scenes.

    A sprite model, which paints figures on flat backgrounds, also gets a cut-out to fill a
    selection: the scene shows around the figure.
    """
    if request.cutout == "matting" or asks_for_scenery(request.prompt):
        return False
    fills = request.mask is not None and request.strength in (None, 1.0)
    return request.transparent or (base.is_pixel_art and fills)


def _with_figure_alone(base: BaseModel, canvas: Canvas, area: Box) -> Canvas:
    """Begin with the figure in the area, without its background; else with noise, or, where there
    is no selection to put a new figure into, with the scene as it is.
    """
    assert canvas.picture is not None
    figure = find_figure(canvas.picture, area, hard_edge=base.is_pixel_art)
    if figure is not None and not is_empty(figure.crop(area)) and canvas.strength < 1:
        return replace(canvas, init_image=figure, is_figure=True)
    if figure is None and canvas.strength < 1 and canvas.mask is None:
        return replace(canvas, keeps_scenery=True)
    warnings = (_NO_FIGURE,) if figure is None and canvas.strength < 1 else ()
    return replace(canvas, init_image=None, figure_box=area, strength=1.0, warnings=warnings)


def _choose_crop(base: BaseModel, canvas: Canvas, area: Box) -> InpaintingCrop:
    assert canvas.picture is not None
    if base.is_pixel_art:
        return choose_pixel_art_crop(
            area,
            canvas.picture.size,
            resolution=base.resolution,
            longest=int(base.resolution * _LARGEST_FACTOR),
            multiple=base.size_multiple,
            pixel_size=canvas.pixel_size,
        )
    if canvas.mask is None:
        return InpaintingCrop(area, generation_size(base, area[2] - area[0], area[3] - area[1]))
    return choose_crop(area, canvas.picture.size, partial(generation_size, base))


def generation_size(base: BaseModel, width: int, height: int) -> Size:
    """Return the size in px to generate at: of the requested proportions, near the base's own
    resolution, which 0 stands for. Sides are multiples of its `size_multiple`.
    """
    side = base.resolution
    requested = (width or side, height or side)
    factor = side / max(requested)
    multiple = base.size_multiple
    longest = int(side * _LARGEST_FACTOR)
    sizes = [
        max(multiple, min(longest, round(r * factor / multiple) * multiple)) for r in requested
    ]
    return sizes[0], sizes[1]


def _in_proportion(requested: Size, natural: Size) -> Size:
    """Return the requested size; a side that is left open (0) keeps the natural proportions."""
    width, height = requested
    if width and not height:
        return width, max(1, round(width * natural[1] / natural[0]))
    if height and not width:
        return max(1, round(height * natural[0] / natural[1])), height
    return requested


def _read_mask(mask: MaskRef, context: JobContext) -> Image.Image:
    return read_mask(context.read_blob(mask.blob), mask.width, mask.height)


def check_pixel_art(base: BaseModel, request: GenerateRequest, canvas: Canvas) -> None:
    """Check that pixel art is enlarged by a whole number; else pixels would be of unequal size.

    Raises InvalidRequest.
    """
    if request.pixel_art and base.is_pixel_art and not has_whole_pixels(canvas):
        (width, height), (across, down) = canvas.result_size or canvas.size, canvas.size
        raise InvalidRequest(
            f"Pixel art is enlarged by whole numbers only; {width} × {height} is no multiple of "
            f"the {across} × {down} that it is painted at. Take a multiple, or leave the size open."
        )


def has_whole_pixels(canvas: Canvas) -> bool:
    """Tell if images become as large as asked for by whole numbers."""
    if canvas.result_size is None:
        return True
    if canvas.picture is not None and canvas.result_size == canvas.picture.size:
        return True  # its crop is a multiple by choice
    (width, height), (across, down) = canvas.result_size, canvas.size
    return not (width % across or height % down) and width // across == height // down


def initial_area(canvas: Canvas) -> Image.Image:
    """Return the part of the initial image that is generated, RGBA at the canvas's size."""
    return resize(initial_box(canvas), *canvas.size)


def initial_box(canvas: Canvas) -> Image.Image:
    """Return the part of the initial image that is generated, RGBA at the picture's size."""
    assert canvas.init_image is not None
    assert canvas.crop is not None
    repeat_border = not canvas.is_figure
    return crop_box(canvas.init_image, canvas.crop.box, repeat_border=repeat_border)


def encode_init_image(
    base: BaseModel, canvas: Canvas, background: Colour
) -> tuple[InitLatents, Image.Image] | None:
    """Encode the canvas's initial image over the background colour where it is transparent; returns
    the image too, RGB at the canvas's size. None without one.
    """
    if canvas.init_image is None:
        return None
    assert canvas.crop is not None
    image = composite(initial_area(canvas), background)
    mask = None
    if canvas.mask is not None:
        latents = latent_mask(canvas.mask, canvas.crop, base.latent_factor)
        mask = torch.from_numpy(latents).to(base.device)
    encoded = base.encode_images(image_tensor(image)[None])
    return InitLatents(encoded, canvas.strength, mask), image
