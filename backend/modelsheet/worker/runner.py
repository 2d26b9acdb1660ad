"""Run jobs: load the base model a job needs, and pass it to the job's function.

Independent of transport: pipes, HTTP and databases belong to the service.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from PIL import Image

from modelsheet.api.animate import AnimateRequest, AnimateResult
from modelsheet.api.describe_images import DescribeRequest, DescribeResult, PreparedImage
from modelsheet.api.generate import GenerateRequest, SubjectsBy
from modelsheet.api.generate_result import GenerateResult, SubjectUse
from modelsheet.api.jobs import JobRequest, JobResult, Progress
from modelsheet.api.learn import LearnRequest, LearnResult
from modelsheet.api.models import DownloadRequest
from modelsheet.base_models.diffusers_folder import modified_ns
from modelsheet.base_models.families import FAMILIES
from modelsheet.base_models.locate import (
    DEFAULT_BASE_MODEL,
    BaseModelFiles,
    list_base_models,
    locate_base_model,
    painting_model,
)
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.generation.adapters import AdapterFile
from modelsheet.diffusion.generation.image_generator import GenerationPipeline
from modelsheet.diffusion.generation.image_plan import ConditioningPicture, ResolvedPrompt
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.clip_encoders import Clip, load_clip
from modelsheet.diffusion.models.cpu_threads import threads_for
from modelsheet.diffusion.models.device import choose_device
from modelsheet.diffusion.training import class_noun, identifier
from modelsheet.diffusion.training.dataset import crop_references, fit_picture, warnings_for
from modelsheet.diffusion.training.learning_session import LearningEnvironment, LearningSession
from modelsheet.errors import ModelMissing, OutOfMemory
from modelsheet.imaging.framing import MOST_CONDITIONING, conditioning_pictures
from modelsheet.imaging.rgba import read_image as read_image_file
from modelsheet.imaging.rgba import to_bgra
from modelsheet.jobs.blob_images import read_image
from modelsheet.jobs.protocol import (
    Directive,
    JobContext,
    JobSuspended,
    LoadedModels,
    obey_directive,
)
from modelsheet.motion.character import NamedDrawing
from modelsheet.motion.network.embedded import load_motion_model
from modelsheet.motion.network.model import MotionModel
from modelsheet.prompts.class_nouns import GENERAL_NOUNS, own_class_nouns
from modelsheet.prompts.mentions import CountPictures, ExpandedPrompt, expand_prompt
from modelsheet.subjects.lora_exchange import file_name_of
from modelsheet.subjects.record import SubjectRecord
from modelsheet.subjects.store import SubjectStore
from modelsheet.worker.animate_job import animate, subject_drawings
from modelsheet.worker.download_job import download
from modelsheet.worker.generate_job import generate
from modelsheet.worker.learn_job import learn, open_session

_log = logging.getLogger(__name__)


class Worker:
    """Runs one job at a time and keeps the last base model in memory.

    Learning that gives way stays in memory too while layers are described: that needs nothing but
    the same base, and preparing anew would cost seconds.
    """

    def __init__(self, data_dir: Path, device: torch.device) -> None:
        self._data_dir = data_dir
        self._device = device
        self._threads = torch.get_num_threads()
        self._subjects = SubjectStore(data_dir)
        self._base_version: tuple[BaseModelFiles, int] | None = None
        self._clip: Clip | None = None
        self._pipeline: GenerationPipeline | None = None
        self._suspended: _SuspendedLearning | None = None
        self._motion: MotionModel | None = None

    @property
    def loaded_models(self) -> LoadedModels:
        pipeline = self._pipeline
        if pipeline is None:
            return LoadedModels()
        return LoadedModels(pipeline.base.id, tuple(pipeline.adapters.loaded))

    def run(self, request: JobRequest, context: JobContext) -> JobResult:
        """Run a job of any kind. Raises ModelsheetError, Cancelled, JobSuspended."""
        if not isinstance(request, LearnRequest | DescribeRequest | AnimateRequest):
            self._end_suspended()
        try:
            if isinstance(request, LearnRequest):
                return self._learn(request, context)
            if isinstance(request, GenerateRequest):
                return self._generate(request, context)
            if isinstance(request, DownloadRequest):
                return download(request, context, self._data_dir, environment=os.environ)
            if isinstance(request, AnimateRequest):
                return self._animate(request, context)
            return self._describe(request, context)
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise OutOfMemory(
                "The graphics card has not enough free memory for this. Close other programs that "
                "use it, ask for fewer or smaller pictures, or take a smaller base model."
            ) from error

    def _learn(self, request: LearnRequest, context: JobContext) -> LearnResult:
        cache = self._data_dir / "cache" / "class-pictures"
        session = self._take_suspended(request, context)
        if session is None:
            base = self._load_bare(request.base_model, context)
            clip = self._load_clip_if_present(base)
            own_nouns = own_class_nouns(self._data_dir)
            environment = LearningEnvironment(self._taken_identifiers(), own_nouns, cache, clip)
            session = open_session(base, request, context, environment)
        with ExitStack() as stack:
            stack.push(session)
            try:
                return learn(session, request, context, cache, self._data_dir)
            except JobSuspended:
                if context.directive() is Directive.YIELD:
                    self._suspended = _SuspendedLearning(context.job_id, session, stack.pop_all())
                raise

    def _take_suspended(self, request: LearnRequest, context: JobContext) -> LearningSession | None:
        """Return the job's session if it is still in memory; end that of another job."""
        if self._suspended is not None and self._suspended.job_id != context.job_id:
            self._end_suspended()
        self._load(request.base_model, context)
        suspended, self._suspended = self._suspended, None
        return None if suspended is None else suspended.session

    def _end_suspended(self) -> None:
        if self._suspended is not None:
            self._suspended.ending.close()
            self._suspended = None

    def _generate(self, request: GenerateRequest, context: JobContext) -> GenerateResult:
        pipeline = self._load(self._choose_model(request, context), context)
        # A grid resolves one prompt many times; each time the adapters' hashes would be checked.
        resolve = functools.partial(self._resolve_prompt, request, pipeline.base, context)
        return generate(pipeline, request, functools.cache(resolve), context)

    def _choose_model(self, request: GenerateRequest, context: JobContext) -> str:
        """Return the request's base model, else the one that paints its subjects."""
        model = request.base_model or self._expand(request.all_prompts, context).base_model
        if request.base_model or model is None:
            return model or DEFAULT_BASE_MODEL
        return painting_model(model, list_base_models(self._data_dir))

    def _resolve_prompt(
        self, request: GenerateRequest, base: BaseModel, context: JobContext, prompt: str
    ) -> ResolvedPrompt:
        count = functools.partial(_count_conditioning, request.subjects_by)
        is_numbered = FAMILIES[base.family].takes_references
        expanded = self._expand(prompt, context, *([count] if is_numbered else []))
        pictures = {each.id: self._references(each) for each in expanded.subjects}
        return ResolvedPrompt(
            text=expanded.text,
            subjects=tuple(_use_of(subject) for subject in expanded.subjects),
            adapters=tuple(
                AdapterFile(subject.adapter_sha256, self._subjects.adapter_path(subject.id))
                for subject in expanded.subjects
                if subject.is_learnt and request.subjects_by != "references"
            ),
            references=tuple(chain.from_iterable(pictures.values())),
            conditioning=tuple(
                ConditioningPicture(f"{each.id}/{number}", picture)
                for each in expanded.subjects
                for number, picture in enumerate(
                    conditioning_pictures(pictures[each.id][: count(each)], base.resolution)
                )
            ),
            palette=_common_palette(expanded.subjects),
            learnt=tuple(
                text
                for each in expanded.subjects
                for text in (each.identifier, each.class_noun, *each.captions)
            ),
        )

    def _expand(self, prompt: str, context: JobContext, *options: CountPictures) -> ExpandedPrompt:
        subjects = self._subjects.list(context.owner or None)
        return expand_prompt(prompt, subjects, context.owner, *options)

    def _animate(self, request: AnimateRequest, context: JobContext) -> AnimateResult:
        torch.set_num_threads(self._threads)
        if self._motion is None:
            context.progress(Progress(phase="loading the motion model"))
            self._motion = load_motion_model(self._device)
        drawings = [
            NamedDrawing(read_image(one.image, context), one.view, one.image.name)
            for one in request.drawings
        ]
        if request.subject is not None and not drawings:
            subject = self._subjects.find(request.subject, context.owner or None)
            names = [reference.name for reference in subject.references]
            drawings = subject_drawings(subject.handle, self._references(subject), names)
        return animate(request, drawings, self._motion, context)

    def _describe(self, request: DescribeRequest, context: JobContext) -> DescribeResult:
        with self._untrained_base(request.base_model, context) as base:
            context.progress(Progress(phase="looking at the pictures"))
            obey_directive(context)
            cropped = crop_references([read_image(i, context) for i in request.images], base)
            pictures = [fit_picture(each, base) for each in cropped]
            guesses, identifiers = [], []
            if request.nouns:
                own_nouns = own_class_nouns(self._data_dir)
                clip = self._load_clip_if_present(base)
                guesses = class_noun.guess(pictures, base.family, clip, own_nouns) if clip else []
                obey_directive(context)
                noun = guesses[0].noun if guesses else GENERAL_NOUNS[0]
                identifiers = identifier.choose(base, noun, self._taken_identifiers())
            return DescribeResult(
                class_nouns=guesses,
                identifiers=identifiers,
                prepared=_prepared(pictures, cropped, context) if request.prepared else [],
                warnings=warnings_for(pictures),
            )

    @contextmanager
    def _untrained_base(self, model_id: str, context: JobContext) -> Iterator[BaseModel]:
        """Give the base model without adapters, also while learning on it is suspended."""
        self._load(model_id, context)
        if self._suspended is None:
            yield self._load_bare(model_id, context)
            return
        with self._suspended.session.untrained_base() as base:
            yield base

    def _load(self, model_id: str, context: JobContext) -> GenerationPipeline:
        """Return the base model in memory, or load it there, freeing the last one first."""
        files = locate_base_model(model_id, self._data_dir)
        version = files, modified_ns(files.path)  # another model may have taken the name
        if self._pipeline is None or self._base_version != version:
            context.progress(Progress(phase="loading the base model"))
            self._end_suspended()
            self._pipeline = self._clip = None
            base = load_base_model(model_id, self._data_dir, self._device)
            self._pipeline, self._base_version = GenerationPipeline(base, self._data_dir), version
        torch.set_num_threads(threads_for(self._pipeline.base, self._threads, self._data_dir))
        return self._pipeline

    def _load_bare(self, model_id: str, context: JobContext) -> BaseModel:
        """Return the base model without the adapters of earlier generate jobs."""
        pipeline = self._load(model_id, context)
        pipeline.adapters.unload()
        return pipeline.base

    def _load_clip_if_present(self, base: BaseModel) -> Clip | None:
        """Return the CLIP of the base in memory, kept as long as that. None without CLIP: a job can
        learn without metrics.
        """
        try:
            if self._clip is None:
                self._clip = load_clip(base, self._data_dir / "models")
        except ModelMissing as error:
            _log.warning("%s", error)
        return self._clip

    def _references(self, subject: SubjectRecord) -> list[Image.Image]:
        folder = self._subjects.folder(subject.id) / "references"
        return [read_image_file(file) for file in sorted(folder.glob("*.png"))]

    def _taken_identifiers(self) -> set[str]:
        return {subject.identifier for subject in self._subjects.list()}


@dataclass(frozen=True)
class _SuspendedLearning:
    """The session of a learn job that gave way; `ending` ends it."""

    job_id: str
    session: LearningSession
    ending: ExitStack


def _prepared(
    pictures: Sequence[Image.Image], cropped: Sequence[Image.Image], context: JobContext
) -> list[PreparedImage]:
    """Store the pictures that are learnt from as blobs."""
    return [
        PreparedImage(
            blob=context.write_blob(to_bgra(picture)),
            width=picture.width,
            height=picture.height,
            drawn_width=drawn.width,
            drawn_height=drawn.height,
        )
        for picture, drawn in zip(pictures, cropped, strict=True)
    ]


def _count_conditioning(subjects_by: SubjectsBy, subject: SubjectRecord) -> int:
    """Return the number of a subject's references that it is painted by: its first ones."""
    if subject.is_learnt and subjects_by == "adapter":
        return 0
    return min(MOST_CONDITIONING, len(subject.references))


def _use_of(subject: SubjectRecord) -> SubjectUse:
    return SubjectUse(
        id=subject.id,
        name=subject.name,
        identifier=subject.identifier,
        class_noun=subject.class_noun,
        adapter_sha256=subject.adapter_sha256,
        lora=Path(file_name_of(subject)).stem if subject.export_sha256 else "",
        lora_sha256=subject.export_sha256,
    )


def _common_palette(subjects: Sequence[SubjectRecord]) -> tuple[str, ...]:
    """Return the colours of all subjects, none where one was not learnt from pixel art."""
    is_pixel_art = all(subject.palette for subject in subjects)
    return tuple(c for subject in subjects for c in subject.palette) if is_pixel_art else ()


def make_runner(data_dir: Path) -> Worker:
    """Make this process's worker, on the device of MODELSHEET_DEVICE, else a GPU, else the CPU."""
    return Worker(data_dir, choose_device(os.environ.get("MODELSHEET_DEVICE", "")))
