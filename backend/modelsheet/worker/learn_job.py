"""Run a learn job: pictures in, a subject in the staging folder out, with progress, checkpoints
and directives.
"""

from __future__ import annotations

import functools
import logging
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
from modelsheet.diffusion.training.checkpoint import saving
from modelsheet.diffusion.training.learning_session import (
    LearningEnvironment,
    LearningEvent,
    LearningSession,
)
from modelsheet.diffusion.training.multi_gpu import HelperSpec, helper_processes, require_gpus
from modelsheet.diffusion.training.trainer import StepResult
from modelsheet.errors import Cancelled, ModelsheetError
from modelsheet.files.manifest import sha256_of
from modelsheet.imaging.palettes import format_hex_colour
from modelsheet.imaging.pixel_art import pixel_art_palette
from modelsheet.jobs.blob_images import read_image, write_image
from modelsheet.jobs.protocol import Directive, JobContext, JobSuspended, obey_directive
from modelsheet.subjects.lora_exchange import export_sha256
from modelsheet.subjects.record import SubjectRecord, write_record
from modelsheet.subjects.store import ADAPTER

_log = logging.getLogger(__name__)
_CHECKPOINT_EVERY_S = 20.0


def open_session(
    base: BaseModel, request: LearnRequest, context: JobContext, environment: LearningEnvironment
) -> LearningSession:
    """Prepare a session at the job's newest checkpoint; the caller ends it as a context manager.

    Raises ModelsheetError, Cancelled, JobSuspended.
    """
    began = time.monotonic()
    context.progress(Progress(phase="preparing the pictures"))
    images = [read_image(image, context) for image in request.images]
    with ExitStack() as stack:
        session = LearningSession(base, request, images, context.checkpoint_dir, environment)
        stack.enter_context(session).prepare(_class_image_progress(context))
        stack.pop_all()
    session.seconds += time.monotonic() - began
    return session


def learn(
    session: LearningSession,
    request: LearnRequest,
    context: JobContext,
    cache_dir: Path,
    data_dir: Path,
) -> LearnResult:
    """Learn the request's subject and store it in the staging folder.

    `cache_dir` has class images, `data_dir` base models. Raises ModelsheetError, Cancelled,
    JobSuspended.
    """
    began = time.monotonic() - session.seconds
    processes, device = session.hyperparameters.processes, session.base.device
    with ExitStack() as helpers:
        if processes > 1:
            require_gpus(device, processes)
            spec = HelperSpec(
                request=request,
                processes=processes,
                device=device.type,
                data_dir=data_dir,
                checkpoint_dir=context.checkpoint_dir,
                cache_dir=cache_dir,
                exchange_dir=Path(helpers.enter_context(tempfile.TemporaryDirectory())),
            )
            check = functools.partial(obey_directive, context)
            helpers.enter_context(helper_processes(session, spec, session.images, check))
        _train(session, context, began)
    # What follows is one process' work.
    context.progress(Progress(phase="saving", fraction=1.0, curve=session.curve))
    record = _store(request, session, context, data_dir)
    return LearnResult(
        subject_id=record.id,
        training_steps=record.training_steps,
        best_step=record.best_step,
        seconds=time.monotonic() - began,
        curve=record.curve,
        warnings=record.warnings,
        report=record.report,
    )


class RemainingTime:
    """Estimate the remaining time from the mean of the last 50 steps, validations included. The
    first step, which warms up, does not count.
    """

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=50)
        self._last: float | None = None  # the end of the last step

    def after(self, result: StepResult) -> float | None:
        """Return the remaining seconds after this step; None after the first."""
        last, self._last = self._last, time.monotonic()
        if last is None:
            return None
        self._times.append(self._last - last)
        mean = sum(self._times) / len(self._times)
        return mean * (result.total - result.step)


def _train(session: LearningSession, context: JobContext, job_began: float) -> None:
    """Train to the last step, to a FINISH directive or to the preset's time limit for the job.
    `job_began`: monotonic seconds, as if all runs of the job had been one.

    Raises Cancelled, and JobSuspended once a checkpoint is written.
    """
    remaining, saved = RemainingTime(), time.monotonic()
    time_limit = session.hyperparameters.longest_s or math.inf
    previews: list[GeneratedImage] = []
    for event in session.events():
        if event.images:
            previews = _previews(event, session, context)
        context.progress(_progress(event.step, session, previews, remaining))
        directive = context.directive()
        if directive is Directive.CANCEL:
            raise Cancelled("Learning was cancelled.")
        if directive is Directive.FINISH or time.monotonic() - job_began > time_limit:
            return session.validate_last_step()
        if directive is not Directive.RUN or time.monotonic() - saved > _CHECKPOINT_EVERY_S:
            saved = time.monotonic()
            session.seconds = saved - job_began
            session.save_checkpoint()
        if directive is not Directive.RUN:
            raise JobSuspended
    return None


def _class_image_progress(context: JobContext) -> ProgressCallback:
    """Return a callback that reports the progress of class images and obeys directives.

    Half-generated batches are begun anew. So that a job gets on however often it is preempted, the
    batch after an interrupted one is generated to its end before the next YIELD is obeyed.
    """
    interrupted = context.checkpoint_dir / "class-pictures-interrupted"

    def on_progress(step: int, total: int) -> None:
        context.progress(Progress(phase="painting class pictures", step=step, total=total))
        directive = context.directive()
        if directive is Directive.CANCEL:
            raise Cancelled("Learning was cancelled.")
        if directive is Directive.PAUSE:
            raise JobSuspended
        if directive is Directive.YIELD and not interrupted.exists():
            with saving("The mark of an interruption"):
                interrupted.touch()
            raise JobSuspended
        if step == total:
            interrupted.unlink(missing_ok=True)

    return on_progress


def _progress(
    result: StepResult,
    session: LearningSession,
    previews: list[GeneratedImage],
    remaining: RemainingTime,
) -> Progress:
    return Progress(
        phase="learning",
        step=result.step,
        total=result.total,
        fraction=result.step / result.total,
        eta_s=remaining.after(result),
        loss=result.loss,
        curve=session.curve,
        previews=previews,
    )


def _previews(
    event: LearningEvent, session: LearningSession, context: JobContext
) -> list[GeneratedImage]:
    pairs = zip(event.images, session.validator.prompts, strict=True)
    return [write_image(image, 0, prompt, context) for image, prompt in pairs]


def with_export_hash(record: SubjectRecord, staging: Path, data_dir: Path) -> SubjectRecord:
    """Add the hash of the subject's file for A1111; none where there can be no such file."""
    try:
        exported = export_sha256(record, (staging / ADAPTER).read_bytes(), data_dir)
    except ModelsheetError as error:
        _log.warning("%s has no file for other programs: %s", record.name, error)
        return record
    return record.model_copy(update={"export_sha256": exported})


def _store(
    request: LearnRequest, session: LearningSession, context: JobContext, data_dir: Path
) -> SubjectRecord:
    """Write the subject into the staging folder; its id is the job's, so that it exists once."""
    report = session.finish(context.staging_dir)
    with saving("The subject's pictures"):
        folder = context.staging_dir / "references"
        folder.mkdir()
        for number, picture in enumerate(session.pictures):
            picture.save(folder / f"{number:02d}.png")
    record = SubjectRecord(
        id=context.job_id,
        name=request.name.strip(),
        class_noun=session.naming.class_noun,
        identifier=session.naming.identifier,
        base_model=request.base_model,
        created=time.time(),
        references=request.images,
        captions=session.captions,
        preset=request.preset,
        seed=request.seed,
        training_steps=session.trainer.step,
        best_step=report.kept_step,
        adapter_sha256=sha256_of(context.staging_dir / ADAPTER),
        curve=session.curve,
        warnings=session.warnings,
        report=report,
        palette=[format_hex_colour(colour) for colour in pixel_art_palette(session.images)],
    )
    record = with_export_hash(record, context.staging_dir, data_dir)
    with saving("The subject"):
        write_record(context.staging_dir, record)
    return record
