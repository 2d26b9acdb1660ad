"""Run a generate job: from the request to finished images, each with its generation parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from PIL import Image

import modelsheet
from modelsheet.api.generate import GenerateRequest, PixelArt, SamplerName
from modelsheet.api.generate_result import GeneratedImage, GenerateResult, GenerationParameters
from modelsheet.base_models.families import FAMILIES, TILING_FAMILIES
from modelsheet.diffusion.generation.background_colour import asks_for_scenery
from modelsheet.diffusion.generation.canvas import (
    Canvas,
    check_pixel_art,
    has_whole_pixels,
    initial_area,
    initial_box,
    make_canvas,
)
from modelsheet.diffusion.generation.image_generator import GenerationPipeline, ImageGenerator
from modelsheet.diffusion.generation.image_placement import place_image, unchanged_image
from modelsheet.diffusion.generation.image_plan import ImagePlan, PromptResolver, plan_image
from modelsheet.diffusion.sampling.samplers import (
    check_steps,
    choose_guidance_scale,
    default_sampler,
    default_steps,
)
from modelsheet.errors import Cancelled, InvalidRequest
from modelsheet.imaging.contact_sheet import (
    Cell,
    Section,
    draw_axis_grid,
    draw_contact_sheet,
    draw_sprite_sheet,
)
from modelsheet.imaging.inpainting import mask_bounds
from modelsheet.imaging.palettes import (
    MAX_COLOURS,
    apply_palette,
    format_hex_colour,
    parse_hex_colour,
)
from modelsheet.imaging.pixel_art import make_pixel_art, pixel_art_palette
from modelsheet.imaging.residuals import restore_unchanged
from modelsheet.imaging.rgba import enlarge_pixels, on_white
from modelsheet.imaging.sprite_alignment import align_sprites, move_off_edges, touches_edge
from modelsheet.jobs.blob_images import read_image, write_image
from modelsheet.jobs.protocol import Directive, JobContext
from modelsheet.prompts.image_requests import axis_labels, image_requests
from modelsheet.worker.output_size import check_output_size, sheet_columns

_MOST_COLUMNS = 8  # of a grid
_LEAST_SCALE = 0.5  # of the adapter, for a picture to have the subject's colours
_NOT_ALIGNED = (
    "The figures were not aligned: their sheet would be larger than 8192 pixels. Ask for fewer "
    "frames, or for smaller ones, to have them aligned."
)


@dataclass(frozen=True)
class ResolvedRequest:
    """An explicit request: base model, sampler, steps and guidance have taken their defaults."""

    pipeline: GenerationPipeline
    request: GenerateRequest
    sampler: SamplerName
    canvas: Canvas


def generate(
    pipeline: GenerationPipeline,
    request: GenerateRequest,
    resolve: PromptResolver,
    context: JobContext,
) -> GenerateResult:
    """Generate the images of a request, and the sheet of a grid or of poses.

    Raises ModelsheetError, Cancelled, torch.OutOfMemoryError.
    """
    resolved = _resolve(pipeline, request, context)
    canvas, family = resolved.canvas, pipeline.base.family
    plans = [
        _with_pixel_art(plan_image(image, resolve, family, canvas), resolved)
        for image in image_requests(resolved.request)
    ]
    _check_palette(request, plans)
    pipeline.oom_fallback.warnings.clear()
    if canvas.is_unchanged:
        images = [unchanged_image(canvas, patch=request.patch) for _ in plans]
    else:
        references = [on_white(read_image(each, context)) for each in request.references]
        generator = ImageGenerator(pipeline, canvas, resolved.sampler, context, references)
        generated = generator.generate(plans, tiling=request.tiling)
        images = _finish_all(generated, plans, resolved, context)
    if request.trim and canvas.mask is not None:
        images = [image.crop(mask_bounds(canvas.mask)) for image in images]
    notes = []
    if request.poses and request.transparent:
        aligned = align_sprites(images)
        if sheet_columns(len(aligned), aligned[0].size):
            images = aligned
        else:
            notes.append(_NOT_ALIGNED)
    sheet, columns = _sheet(images, request, context)
    return GenerateResult(
        images=[
            _write(image, plan, resolved, context)
            for image, plan in zip(images, plans, strict=True)
        ],
        sheet=sheet,
        columns=columns,
        warnings=[*_warnings(images, plans, resolved), *notes],
    )


def _resolve(
    pipeline: GenerationPipeline, request: GenerateRequest, context: JobContext
) -> ResolvedRequest:
    base = pipeline.base
    sampler = request.sampler or default_sampler(base)
    if request.tiling and not FAMILIES[base.family].tiles_seamlessly:
        raise InvalidRequest(
            f"{base.id} cannot paint seamless tiles. Take a base model of one of these, or leave "
            f"tiling out: {TILING_FAMILIES}."
        )
    canvas = make_canvas(base, request, context)
    check_pixel_art(base, request, canvas)
    explicit = request.model_copy(
        update={
            "base_model": base.id,
            "sampler": sampler,
            "inference_steps": request.inference_steps or default_steps(base, sampler),
            "guidance_scale": choose_guidance_scale(base, sampler, request.guidance_scale),
            "strength": canvas.strength if request.init_image is not None else None,
            "transparent": request.transparent or canvas.figure_box is not None,
            "cutout": pipeline.background_remover.choose_method(request, base),
        }
    )
    images = image_requests(explicit)
    check_output_size(request, len(images), canvas.result_size or canvas.size)
    for image in images:
        check_steps(base, sampler, image.request.inference_steps or 1)
    return ResolvedRequest(pipeline, explicit, sampler, canvas)


def _with_pixel_art(plan: ImagePlan, resolved: ResolvedRequest) -> ImagePlan:
    """Return the plan with an explicit `pixel_art`: where nothing was said, pixel art for subjects
    whose layers are, on a base that paints pixels.
    """
    request, base = plan.request, resolved.pipeline.base
    art: PixelArt | Literal[False] | None = request.pixel_art
    if art is None:
        fits = base.is_pixel_art and has_whole_pixels(resolved.canvas)
        art = _automatic_pixel_art(plan, resolved) if fits else False
    return replace(plan, request=request.model_copy(update={"pixel_art": art}))


def _automatic_pixel_art(plan: ImagePlan, resolved: ResolvedRequest) -> PixelArt | Literal[False]:
    """Return the pixel art of the subjects' colours and of those that the canvas brings: a figure
    alone has no others, a picture with a background has its colours too.

    False where there is no subject, where hardly anything is left of it, and for a canvas that is
    no pixel art.
    """
    request, canvas = plan.request, resolved.canvas
    if not plan.palette or request.unet_scale < _LEAST_SCALE:
        return False
    brought = pixel_art_palette([initial_box(canvas)]) if canvas.keeps_something else []
    if canvas.keeps_something and not brought:
        return False
    palette = list(dict.fromkeys([*plan.palette, *map(format_hex_colour, brought)]))
    is_alone = request.transparent and not asks_for_scenery(request.prompt)
    if is_alone and not canvas.keeps_scenery and len(palette) <= MAX_COLOURS:
        return PixelArt(palette=palette)
    return PixelArt(palette="both", colours=MAX_COLOURS)


def _check_palette(request: GenerateRequest, plans: Sequence[ImagePlan]) -> None:
    art = request.pixel_art
    if art and art.palette in ("subject", "both") and not all(p.references for p in plans):
        raise InvalidRequest(
            "The prompt names no subject whose palette could be used. Name one with @, or take "
            "another palette."
        )


def _finish_all(
    images: Sequence[Image.Image],
    plans: Sequence[ImagePlan],
    resolved: ResolvedRequest,
    context: JobContext,
) -> list[Image.Image]:
    """Finish the images one by one: matting takes seconds for each. Raises Cancelled."""
    finished = []
    for image, plan in zip(images, plans, strict=True):
        if context.directive() is Directive.CANCEL:
            raise Cancelled("Painting was cancelled.")
        finished.append(_finish(image, plan, resolved))
    return finished


def _finish(image: Image.Image, plan: ImagePlan, resolved: ResolvedRequest) -> Image.Image:
    """Remove the background, convert to pixel art, and bring the image to its place and size."""
    request, base, art = resolved.request, resolved.pipeline.base, plan.request.pixel_art
    is_pixel_art = base.is_pixel_art or bool(art)
    remover = resolved.pipeline.background_remover
    if request.transparent and resolved.canvas.keeps_scenery:
        image = remover.remove_scenery(image, request.cutout, hard_edge=is_pixel_art)
    elif request.transparent:
        image = remover.remove(image, plan.background, request.cutout, hard_edge=is_pixel_art)
    if art:
        pixel_size = 1 if base.is_pixel_art else 0
        painted = image
        image = make_pixel_art(painted, art, plan.references, pixel_size)
        image = _with_canvas_colours(image, painted, art, resolved.canvas)
        if _is_sprite(plan, resolved):
            image = move_off_edges(image)
    placed = place_image(
        resolved.canvas,
        image,
        patch=request.patch,
        pixel_art=is_pixel_art,
        keep_detail=not art,
    )
    return enlarge_pixels(placed, art.enlarge if art else 1)


def _with_canvas_colours(
    image: Image.Image, painted: Image.Image, art: PixelArt, canvas: Canvas
) -> Image.Image:
    """Give back to pixel art what the canvas brought and the strength left as it was, in the
    palette's colours if it is a list.
    """
    has_all_colours = art.palette == "both" or isinstance(art.palette, list)
    if not (canvas.keeps_something and has_all_colours and image.size == painted.size):
        return image
    original = shown = initial_area(canvas)
    if isinstance(art.palette, list):
        shown = apply_palette(original, [parse_hex_colour(colour) for colour in art.palette])
    return restore_unchanged(image, painted, original, shown)


def _is_sprite(plan: ImagePlan, resolved: ResolvedRequest) -> bool:
    """Return True for a pixel-art cut-out in a frame of its own, not placed by an image, region or
    pose.
    """
    request, canvas = resolved.request, resolved.canvas
    is_alone = canvas.picture is None and canvas.regions is None and not request.poses
    return request.transparent and bool(plan.request.pixel_art) and is_alone


def _warnings(
    images: Sequence[Image.Image], plans: Sequence[ImagePlan], resolved: ResolvedRequest
) -> list[str]:
    pipeline = resolved.pipeline
    was_asked_for = bool(resolved.request.pixel_art)  # by itself it should not warn
    filling = sum(
        was_asked_for and _is_sprite(plan, resolved) and touches_edge(image)
        for image, plan in zip(images, plans, strict=True)
    )
    fills = f"{filling} of {len(images)} figures fill their frame from edge to edge."
    unknown = ", ".join(dict.fromkeys(word for plan in plans for word in plan.unknown_words))
    counted = (
        f"{pipeline.base.id} has never seen these words, so they counted for nothing: {unknown}. "
        "Write words that it was trained on, such as: holding sword, with lantern, on grass floor."
    )
    return [
        *([counted] if unknown else []),
        *resolved.canvas.warnings,
        *pipeline.background_remover.warnings,
        *([fills] if filling else []),
        *pipeline.oom_fallback.warnings,
        *pipeline.base.notes,
    ]


def _write(
    image: Image.Image, plan: ImagePlan, resolved: ResolvedRequest, context: JobContext
) -> GeneratedImage:
    request = plan.request
    parameters = GenerationParameters(
        version=modelsheet.__version__,
        base_model=resolved.pipeline.base.id,
        text=plan.prompts[0],
        subjects=list(plan.subjects),
        sampler=resolved.sampler,
        inference_steps=plan.steps,
        guidance_scale=plan.guidance_scale,
        width=resolved.canvas.size[0],
        height=resolved.canvas.size[1],
        request=request,
    )
    return write_image(
        image, request.seed, request.prompt, context, label=plan.label, parameters=parameters
    )


def _sheet(
    images: Sequence[Image.Image], request: GenerateRequest, context: JobContext
) -> tuple[GeneratedImage | None, int]:
    """Draw the labelled sheet of a grid, or the frames of the poses; and its columns."""
    if request.explore is not None and request.explore.down is None:
        labels = [image.label for image in image_requests(request)]
        cells = [Cell(*each) for each in zip(images, labels, strict=True)]
        columns = min(_MOST_COLUMNS, len(cells))
        sheet = draw_contact_sheet([Section(request.prompt, cells, columns)], cell_size=128)
    elif request.explore is not None and request.explore.down is not None:
        across, down = axis_labels(request.explore.across), axis_labels(request.explore.down)
        sheet, columns = draw_axis_grid(images, across, down), len(across[1])
    elif request.poses:
        columns = sheet_columns(len(images), images[0].size)
        sheet = draw_sprite_sheet(images, columns)
    else:
        return None, 0
    return write_image(sheet, request.seed, request.prompt, context), columns
