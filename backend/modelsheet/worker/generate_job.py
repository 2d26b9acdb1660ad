"""A generate job: from the request to its results, each with its recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

import modelsheet
from modelsheet.api.generate import GenerateRequest, SamplerName
from modelsheet.api.generate_result import GeneratedImage, GenerateResult, GenerationParameters
from modelsheet.diffusion.generation.background_removal import Cutter
from modelsheet.diffusion.generation.canvas import (
    Canvas,
    check_pixel_art,
    open_canvas,
    settle,
    untouched,
)
from modelsheet.diffusion.generation.image_generator import Painter, Studio
from modelsheet.diffusion.generation.scene import Casting, Scene, set_scene
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.sampling.samplers import (
    check_steps,
    own_sampler,
    usual_guidance,
    usual_steps,
)
from modelsheet.errors import Cancelled, InvalidRequest
from modelsheet.imaging.contact_sheet import (
    Cell,
    Section,
    draw_axis_grid,
    draw_contact_sheet,
    draw_sprite_sheet,
)
from modelsheet.imaging.pixel_art import make_pixel_art
from modelsheet.imaging.rgba import enlarge_pixels
from modelsheet.imaging.sprite_alignment import align_sprites, move_off_edges, touches_edge
from modelsheet.jobs.blob_images import write_picture
from modelsheet.jobs.protocol import Directive, JobContext
from modelsheet.prompts.variations import axis_words, plan

_MOST_COLUMNS = 8


@dataclass(frozen=True)
class Job:
    """A request made explicit: sampler, steps, guidance and base are no longer left open."""

    base: BaseModel
    request: GenerateRequest
    sampler: SamplerName
    canvas: Canvas


def generate(
    studio: Studio, request: GenerateRequest, casting: Casting, context: JobContext
) -> GenerateResult:
    """Raises ModelsheetError, Cancelled, torch.OutOfMemoryError."""
    job = _prepared(studio, request, context)
    scenes = [set_scene(shot, casting, job.base.family) for shot in plan(job.request)]
    _check_palette(request, scenes)
    studio.ladder.said.clear()
    if job.canvas.is_untouched:
        pictures = [untouched(job.canvas, patch=request.patch) for _ in scenes]
    else:
        painter = Painter(studio, job.canvas, job.sampler, context)
        painted = painter.paint(scenes, tiling=request.tiling)
        pictures = _finished_all(painted, scenes, job, studio, context)
    if request.poses and request.transparent:
        pictures = align_sprites(pictures)
    images = [
        _written(picture, scene, job, context)
        for picture, scene in zip(pictures, scenes, strict=True)
    ]
    sheet, columns = _sheet(pictures, request, context)
    return GenerateResult(
        images=images,
        sheet=sheet,
        columns=columns,
        warnings=_told(pictures, job, studio),
    )


def _prepared(studio: Studio, request: GenerateRequest, context: JobContext) -> Job:
    base = studio.base
    sampler = request.sampler or own_sampler(base)
    canvas = open_canvas(base, request, context)
    check_pixel_art(base, request, canvas)
    explicit = request.model_copy(
        update={
            "base_model": base.id,
            "sampler": sampler,
            "inference_steps": request.inference_steps or usual_steps(sampler),
            "guidance_scale": request.guidance_scale or usual_guidance(base, sampler),
            "strength": canvas.strength if request.init_image is not None else None,
            "cutout": studio.cutter.method_for(request, base),
        }
    )
    for shot in plan(explicit):
        check_steps(sampler, shot.request.inference_steps or 1)
    return Job(base, explicit, sampler, canvas)


def _check_palette(request: GenerateRequest, scenes: Sequence[Scene]) -> None:
    art = request.pixel_art
    if art is not None and art.palette == "subject" and not all(s.references for s in scenes):
        raise InvalidRequest(
            "The prompt names no subject whose palette could be used. Name one with @, or take "
            "another palette."
        )


def _finished_all(
    painted: Sequence[Image.Image],
    scenes: Sequence[Scene],
    job: Job,
    studio: Studio,
    context: JobContext,
) -> list[Image.Image]:
    """Raises Cancelled: a matting model takes seconds for each picture."""
    finished = []
    for picture, scene in zip(painted, scenes, strict=True):
        if context.directive() is Directive.CANCEL:
            raise Cancelled("Painting was cancelled.")
        finished.append(_finished(picture, scene, job, studio.cutter))
    return finished


def _finished(picture: Image.Image, scene: Scene, job: Job, cutter: Cutter) -> Image.Image:
    """Cut out where asked, make it pixel art where asked, and bring it to its place and size."""
    request, base = job.request, job.base
    is_pixel_art = base.is_pixel_art or request.pixel_art is not None
    if request.transparent:
        picture = cutter.cut(picture, scene.backdrop, request.cutout, hard_edge=is_pixel_art)
    if request.pixel_art is not None:
        known = 1 if base.is_pixel_art else 0
        picture = make_pixel_art(picture, request.pixel_art, scene.references, known)
        if _is_a_sprite(job):
            picture = move_off_edges(picture)
    settled = settle(job.canvas, picture, patch=request.patch, pixel_art=is_pixel_art)
    factor = request.pixel_art.enlarge if request.pixel_art is not None else 1
    return enlarge_pixels(settled, factor)


def _is_a_sprite(job: Job) -> bool:
    """A cut-out in pixel art on a frame of its own, which no picture and no pose has a say in."""
    request, canvas = job.request, job.canvas
    is_alone = canvas.picture is None and canvas.stage is None and not request.poses
    return request.transparent and request.pixel_art is not None and is_alone


def _told(pictures: Sequence[Image.Image], job: Job, studio: Studio) -> list[str]:
    """What the artist should know of the results."""
    filling = sum(map(touches_edge, pictures)) if _is_a_sprite(job) else 0
    fills = f"{filling} of {len(pictures)} figures fill their frame from edge to edge."
    return [*studio.cutter.said, *([fills] if filling else []), *studio.ladder.said]


def _written(picture: Image.Image, scene: Scene, job: Job, context: JobContext) -> GeneratedImage:
    shot = scene.shot
    request = shot.request
    recipe = GenerationParameters(
        version=modelsheet.__version__,
        base_model=job.base.id,
        text=scene.texts[0],
        subjects=list(scene.subjects),
        sampler=job.sampler,
        inference_steps=request.inference_steps or 1,
        guidance_scale=request.guidance_scale or 1.0,
        width=job.canvas.size[0],
        height=job.canvas.size[1],
        request=request,
    )
    return write_picture(
        picture, request.seed, request.prompt, context, label=shot.label, recipe=recipe
    )


def _sheet(
    pictures: Sequence[Image.Image], request: GenerateRequest, context: JobContext
) -> tuple[GeneratedImage | None, int]:
    """The labelled picture of a grid, or the frames of the poses on one sheet."""
    if request.explore is not None and request.explore.down is None:
        cells = [Cell(p, shot.label) for p, shot in zip(pictures, plan(request), strict=True)]
        columns = min(_MOST_COLUMNS, len(cells))
        drawn = draw_contact_sheet([Section(request.prompt, cells, columns)], cell_size=128)
    elif request.explore is not None and request.explore.down is not None:
        across, down = axis_words(request.explore.across), axis_words(request.explore.down)
        drawn, columns = draw_axis_grid(pictures, across, down), len(across[1])
    elif request.poses:
        columns = min(_MOST_COLUMNS, len(pictures))
        drawn = draw_sprite_sheet(pictures, columns)
    else:
        return None, 0
    return write_picture(drawn, request.seed, request.prompt, context), columns
