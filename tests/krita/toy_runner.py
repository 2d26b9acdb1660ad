"""A runner without torch that paints a disc on a transparent ground, its colour from the seed."""

from __future__ import annotations

import functools
import hashlib
import threading
import time
from pathlib import Path

import numpy as np

from modelsheet.api.animate import (
    AnimateRequest,
    AnimateResult,
    AnimationFrame,
    FigureFit,
    ViewName,
)
from modelsheet.api.describe_images import ClassNounGuess, DescribeResult
from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GeneratedImage, GenerateResult, GenerationParameters
from modelsheet.api.jobs import JobRequest, JobResult, Progress
from modelsheet.api.learn import LearnRequest, LearnResult, LikenessPoint
from modelsheet.api.models import BaseModelView
from modelsheet.api.types import ImageRef
from modelsheet.base_models.locate import locate_base_model
from modelsheet.errors import Cancelled
from modelsheet.jobs.protocol import Directive, JobContext, JobSuspended
from modelsheet.lora.base_model_keys import key_layout_of
from modelsheet.lora.diffusers_writer import write_diffusers
from modelsheet.lora.factors import LoraFactors
from modelsheet.motion.figures.mannequin_archive import embedded_mannequins
from modelsheet.subjects.record import SubjectRecord, write_record
from modelsheet.subjects.store import ADAPTER

# "thorough" is so long that a test can pause it, paint beside it, and end it early.
STEPS = {"quick": 40, "balanced": 200, "thorough": 4000}
STEP_S = 0.05  # so that the docker can be seen while it learns
PROBE_EVERY = 10
SIDE = 32
FRAMES = 4  # of each action
FIT = FigureFit(body="male", top=13, neck=31, feet=62, centre=32, head_width=18, body_width=22)
RANK = 16
TOY_MODEL = BaseModelView(id="sprite32", family="sprite32", resolution=SIDE, available=True)


def make_runner(data_dir: Path) -> ToyRunner:
    return ToyRunner()


def disc(seed: int) -> bytes:
    """SIDE x SIDE straight-alpha BGRA8: opaque within the disc, clear around it."""
    colour = hashlib.sha256(seed.to_bytes(8, "big")).digest()[:3] + b"\xff"
    middle, radius = (SIDE - 1) / 2, SIDE * 0.4
    rows = range(SIDE)
    inside = (((x - middle) ** 2 + (y - middle) ** 2) <= radius**2 for y in rows for x in rows)
    return b"".join(colour if within else bytes(4) for within in inside)


@functools.cache
def adapter() -> bytes:
    """A LoRA of the embedded base as large as a learnt one, of noise."""
    layout = key_layout_of(locate_base_model(TOY_MODEL.id, Path()))
    noise = np.random.default_rng(0)
    factors = {
        site: LoraFactors(
            noise.standard_normal((weight.rows, RANK), np.float32),
            noise.standard_normal((RANK, weight.fan_in), np.float32),
        )
        for site, weight in layout.shapes.items()
    }
    return write_diffusers(factors, layout, {})


class ToyRunner:
    """Learns by counting, paints discs."""

    def run(self, request: JobRequest, context: JobContext) -> JobResult:
        if isinstance(request, LearnRequest):
            return self._learn(request, context)
        if isinstance(request, GenerateRequest):
            return self._generate(request, context)
        if isinstance(request, AnimateRequest):
            return self._animate(request, context)
        noun = ClassNounGuess(noun="human man", probability=0.5)
        return DescribeResult(class_nouns=[noun], identifiers=["sks"])

    def _learn(self, request: LearnRequest, context: JobContext) -> LearnResult:
        total, saved = STEPS[request.preset], context.checkpoint_dir / "step"
        step = int(saved.read_text()) if saved.is_file() else 0
        while step < total:
            step += 1
            threading.Event().wait(STEP_S)
            context.progress(_learning(step, total, context))
            directive = context.directive()
            if directive is Directive.CANCEL:
                raise Cancelled("cancelled")
            if directive is Directive.FINISH:
                break
            if directive is not Directive.RUN:
                saved.write_text(str(step))
                raise JobSuspended
        (context.staging_dir / ADAPTER).write_bytes(adapter())
        write_record(context.staging_dir, _record(request, context.job_id, step))
        return LearnResult(
            subject_id=context.job_id, training_steps=step, best_step=step, seconds=1.0
        )

    def _generate(self, request: GenerateRequest, context: JobContext) -> GenerateResult:
        images: list[GeneratedImage] = []
        wanted = _seeds(request)
        for seed in wanted:
            threading.Event().wait(STEP_S)
            if context.directive() is Directive.CANCEL:
                raise Cancelled("cancelled")
            images.append(_painted(request, seed, context))
            done = len(images)
            context.progress(
                Progress(
                    phase="painting", step=done, total=len(wanted), fraction=done / len(wanted)
                )
            )
        return GenerateResult(images=images)

    def _animate(self, request: AnimateRequest, context: JobContext) -> AnimateResult:
        """Give each view its drawing, else the first; frame by frame it goes a px to the right."""
        drawn = {one.view: one.image for one in reversed(request.drawings)}
        first = request.drawings[0].image
        key_views = [
            _shifted(drawn.get(view, first), view, "", 0, context) for view in request.views
        ]
        frames: list[AnimationFrame] = []
        total = len(request.actions) * len(key_views) * FRAMES
        for action in request.actions:
            for view in request.views:
                threading.Event().wait(STEP_S)
                image = drawn.get(view, first)
                frames += [_shifted(image, view, action, k, context) for k in range(FRAMES)]
                context.progress(_drawing([*key_views, *frames], len(frames), total))
        return AnimateResult(
            key_views=key_views,
            frames=frames,
            mannequins=key_views,
            fit=FIT,
            scale=1.0,
            origin_x=0,
            origin_y=0,
        )


def _shifted(
    image: ImageRef, view: ViewName, action: str, index: int, context: JobContext
) -> AnimationFrame:
    pixels = context.read_blob(image.blob)
    row, shift = 4 * image.width, 4 * index
    rows = [pixels[at : at + row] for at in range(0, len(pixels), row)]
    moved = b"".join(bytes(shift) + one[: row - shift] for one in rows)
    return AnimationFrame(
        blob=context.write_blob(moved),
        width=image.width,
        height=image.height,
        view=view,
        action=action,
        index=index,
        frame_ms=embedded_mannequins().action(action).frame_ms if action else 0,
    )


def _drawing(frames: list[AnimationFrame], step: int, total: int) -> Progress:
    previews = [
        GeneratedImage(
            blob=one.blob,
            width=one.width,
            height=one.height,
            seed=0,
            prompt="",
            label=f"{one.action} {one.view} {one.index}" if one.action else one.view,
        )
        for one in frames
    ]
    return Progress(
        phase="painting", step=step, total=total, fraction=step / total, previews=previews
    )


def _learning(step: int, total: int, context: JobContext) -> Progress:
    probes = range(PROBE_EVERY, step + 1, PROBE_EVERY)
    curve = [
        LikenessPoint(
            step=probe,
            subject_fidelity=1 - 0.6 * 0.7 ** (probe / PROBE_EVERY),
            prompt_fidelity=0.3,
            prior_drift=0.0,
            score=0.5,
            likeness=1 - 0.6 * 0.7 ** (probe / PROBE_EVERY),
        )
        for probe in probes[-20:]
    ]
    previews = [_preview(seed, context) for seed in range(3)] if curve else []
    return Progress(
        phase="learning",
        step=step,
        total=total,
        fraction=step / total,
        eta_s=(total - step) * STEP_S,
        curve=curve,
        previews=previews,
    )


def _preview(seed: int, context: JobContext) -> GeneratedImage:
    blob = context.write_blob(disc(seed))
    return GeneratedImage(blob=blob, width=SIDE, height=SIDE, seed=seed, prompt="a knight")


def _seeds(request: GenerateRequest) -> list[int]:
    if request.explore is None:
        return [request.seed + k for k in range(request.count)]
    down = request.explore.down
    cells = len(request.explore.across.values) * (len(down.values) if down else 1)
    return [request.seed + k for k in range(cells)]


def _painted(request: GenerateRequest, seed: int, context: JobContext) -> GeneratedImage:
    recipe = GenerationParameters(
        version="0.1.0",
        base_model="sprite32",
        text=request.prompt,
        subjects=[],
        sampler="Euler",
        inference_steps=20,
        guidance_scale=4.0,
        width=SIDE,
        height=SIDE,
        request=request,
    )
    return GeneratedImage(
        blob=context.write_blob(disc(seed)),
        width=SIDE,
        height=SIDE,
        seed=seed,
        prompt=request.prompt,
        recipe=recipe,
    )


def _record(request: LearnRequest, job_id: str, steps: int) -> SubjectRecord:
    return SubjectRecord(
        id=job_id,
        name=request.name,
        class_noun=request.class_noun,
        identifier=request.identifier or "sks",
        base_model=request.base_model,
        created=time.time(),
        references=request.images,
        captions=[],
        preset=request.preset,
        seed=request.seed,
        training_steps=steps,
        best_step=steps,
        adapter_sha256=hashlib.sha256(adapter()).hexdigest(),
        curve=[],
        warnings=[],
    )
