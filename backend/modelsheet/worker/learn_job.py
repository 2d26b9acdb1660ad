"""A learn job: pictures in, a subject in the staging folder out, with progress, checkpoints and
directives.
"""

from __future__ import annotations

import functools
import math
import tempfile
import time
from collections import deque
from contextlib import ExitStack
from pathlib import Path

from modelsheet.api.generate_result import GeneratedImage
from modelsheet.api.jobs import Progress
from modelsheet.api.learn import LearnRequest, LearnResult
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.sampling.plain_generation import ProgressCallback
from modelsheet.diffusion.training.checkpoint import file_sha256, saving
from modelsheet.diffusion.training.multi_gpu import Errand, helped, require_cards
from modelsheet.diffusion.training.session import Learning, LearningEvent, Surroundings, opened
from modelsheet.errors import Cancelled
from modelsheet.jobs.blob_images import read_image, write_image
from modelsheet.jobs.protocol import Directive, JobContext, JobSuspended
from modelsheet.subjects.store import ADAPTER, SubjectRecord, write_record

_CHECKPOINT_EVERY_S = 20.0


def learn(
    base: BaseModel,
    request: LearnRequest,
    context: JobContext,
    around: Surroundings,
    data_dir: Path,
) -> LearnResult:
    """Raises ModelsheetError, Cancelled, JobSuspended. `data_dir` is where base models lie."""
    began = time.monotonic()
    context.progress(Progress(phase="preparing the pictures"))
    pictures = [read_image(image, context) for image in request.images]

    def make(undo: ExitStack) -> Learning:
        folder = context.checkpoint_dir
        return Learning(base, request, pictures, folder, around, undo, _painting_report(context))

    with opened(make, base) as learning, ExitStack() as helpers:
        if learning.recipe.processes > 1:
            require_cards(base.device, learning.recipe.processes)
            room = Path(helpers.enter_context(tempfile.TemporaryDirectory()))
            errand = _errand(learning, request, around, data_dir, room)
            check = functools.partial(_stop_as_told, context)
            helpers.enter_context(helped(learning, errand, pictures, check))
        _run(learning, context)
        helpers.close()  # what follows is one process' work
        context.progress(Progress(phase="saving", fraction=1.0, curve=learning.curve))
        record = _store(request, learning, context)
    return LearnResult(
        subject_id=record.id,
        training_steps=record.training_steps,
        best_step=record.best_step,
        seconds=time.monotonic() - began,
        curve=record.curve,
        warnings=record.warnings,
        report=record.report,
    )


class StepClock:
    """Estimates what is left from the last steps' times, probes included."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=50)
        self._last = time.monotonic()

    def eta_s(self, event: LearningEvent) -> float | None:
        now = time.monotonic()
        self._times.append(now - self._last)
        self._last = now
        if len(self._times) < 5:
            return None
        mean = sum(self._times) / len(self._times)
        return mean * (event.report.total - event.report.step)


def _run(learning: Learning, context: JobContext) -> None:
    """Learn to the end, or to where somebody says FINISH. Raises Cancelled, or JobSuspended once
    everything is saved.
    """
    clock, began = StepClock(), time.monotonic()
    saved, longest = began, learning.recipe.longest_s or math.inf
    previews: list[GeneratedImage] = []
    for event in learning.events():
        if event.pictures:
            previews = _previews(event, learning, context)
        context.progress(_progress(event, learning, previews, clock))
        directive = context.directive()
        if directive is Directive.CANCEL:
            raise Cancelled("Learning was cancelled.")
        if directive is Directive.FINISH or time.monotonic() - began > longest:
            return learning.look_once_more()
        if directive is not Directive.RUN or time.monotonic() - saved > _CHECKPOINT_EVERY_S:
            learning.save_checkpoint()
            saved = time.monotonic()
        if directive is not Directive.RUN:
            raise JobSuspended
    return None


def _errand(
    learning: Learning, request: LearnRequest, around: Surroundings, data_dir: Path, room: Path
) -> Errand:
    return Errand(
        request=request,
        processes=learning.recipe.processes,
        device=learning.base.device.type,
        data_dir=data_dir,
        folder=learning.folder,
        cache=around.cache,
        room=room,
    )


def _stop_as_told(context: JobContext) -> None:
    """Leave where there is nothing to save. Raises Cancelled, JobSuspended."""
    directive = context.directive()
    if directive is Directive.CANCEL:
        raise Cancelled("Learning was cancelled.")
    if directive in (Directive.YIELD, Directive.PAUSE):
        raise JobSuspended


def _painting_report(context: JobContext) -> ProgressCallback:
    """Tell how far a batch of class pictures is, and stop or step aside as told.

    Pictures that are half painted are begun anew. So that learning gets on however often somebody
    is in a hurry, the batch after an interrupted one is painted to its end before the next YIELD.
    """
    mark = context.checkpoint_dir / "class-pictures-interrupted"

    def report(step: int, total: int) -> None:
        context.progress(Progress(phase="painting class pictures", step=step, total=total))
        directive = context.directive()
        if directive is Directive.CANCEL:
            raise Cancelled("Learning was cancelled.")
        if directive is Directive.PAUSE:
            raise JobSuspended
        if directive is Directive.YIELD and not mark.exists():
            with saving("The mark of an interruption"):
                mark.touch()
            raise JobSuspended
        if step == total:
            mark.unlink(missing_ok=True)

    return report


def _progress(
    event: LearningEvent, learning: Learning, previews: list[GeneratedImage], clock: StepClock
) -> Progress:
    report = event.report
    return Progress(
        phase="learning",
        step=report.step,
        total=report.total,
        fraction=report.step / report.total,
        eta_s=clock.eta_s(event),
        loss=report.loss,
        curve=learning.curve,
        previews=previews,
    )


def _previews(
    event: LearningEvent, learning: Learning, context: JobContext
) -> list[GeneratedImage]:
    pairs = zip(event.pictures, learning.prober.prompts, strict=True)
    return [write_image(picture, 0, prompt, context) for picture, prompt in pairs]


def _store(request: LearnRequest, learning: Learning, context: JobContext) -> SubjectRecord:
    """Leave the subject in the staging folder; its id is the job's, so that it exists once."""
    learnt = learning.finish(context.staging_dir)
    with saving("The subject's pictures"):
        folder = context.staging_dir / "references"
        folder.mkdir()
        for number, picture in enumerate(learning.pictures):
            picture.save(folder / f"{number:02d}.png")
    record = SubjectRecord(
        id=context.job_id,
        name=request.name.strip(),
        class_noun=learnt.naming.class_noun,
        identifier=learnt.naming.identifier,
        base_model=request.base_model,
        created=time.time(),
        references=request.images,
        captions=learnt.captions,
        preset=request.preset,
        seed=request.seed,
        training_steps=learnt.training_steps,
        best_step=learnt.report.kept_step,
        adapter_sha256=file_sha256(context.staging_dir / ADAPTER),
        curve=learnt.curve,
        warnings=learnt.warnings,
        report=learnt.report,
    )
    with saving("The subject"):
        write_record(context.staging_dir, record)
    return record
