"""One job in, progress and results out.

Knows nothing of transport: pipes, HTTP and databases are others' affair.
"""

from __future__ import annotations

import functools
import logging
import os
from pathlib import Path

import torch
from PIL import Image

from modelsheet.api.describe import DescribeRequest, DescribeResult
from modelsheet.api.generate import GenerateRequest, GenerateResult, SubjectUse
from modelsheet.api.jobs import JobRequest, JobResult, Progress
from modelsheet.api.learn import LearnRequest, LearnResult
from modelsheet.api.models import DownloadRequest
from modelsheet.base_models.catalogue import DEFAULT_BASE_MODEL, BaseFiles, locate
from modelsheet.base_models.diffusers_folder import changed_ns
from modelsheet.diffusion.generation.adapters import Garment
from modelsheet.diffusion.generation.image_generator import Studio
from modelsheet.diffusion.generation.scene import Cast
from modelsheet.diffusion.models.base_model import BaseModel, load_base_model
from modelsheet.diffusion.models.clip import Clip, clip_of
from modelsheet.diffusion.training import class_noun, identifier
from modelsheet.diffusion.training.dataset import prepare_pictures, warnings_for
from modelsheet.diffusion.training.session import LearningEnvironment
from modelsheet.errors import ModelMissing, OutOfMemory
from modelsheet.jobs.blob_images import read_picture
from modelsheet.jobs.protocol import JobContext, Warm
from modelsheet.prompts.class_nouns import own_class_nouns
from modelsheet.prompts.expansion import ExpandedPrompt, expand
from modelsheet.subjects.store import SubjectRecord, SubjectStore
from modelsheet.worker.download_job import download
from modelsheet.worker.generate_job import generate
from modelsheet.worker.learn_job import learn

_log = logging.getLogger(__name__)


class Worker:
    """Keeps the base model it used last in memory and carries out one job at a time."""

    def __init__(self, data_dir: Path, device: torch.device) -> None:
        self._data_dir = data_dir
        self._device = device
        self._subjects = SubjectStore(data_dir)
        self._base: BaseModel | None = None
        self._state: tuple[BaseFiles, int] | None = None
        self._seeing: Clip | None = None
        self._studio: Studio | None = None

    @property
    def warm(self) -> Warm:
        base, studio = self._base, self._studio
        if base is None or studio is None:
            return Warm()
        return Warm(base.id, tuple(studio.wardrobe.adapters))

    def run(self, request: JobRequest, context: JobContext) -> JobResult:
        """Raises ModelsheetError, Cancelled, SteppedAside."""
        try:
            if isinstance(request, LearnRequest):
                return self._learn(request, context)
            if isinstance(request, GenerateRequest):
                return self._generate(request, context)
            if isinstance(request, DownloadRequest):
                return download(request, context, self._data_dir, environment=os.environ)
            return self._describe(request, context)
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise OutOfMemory(
                "The graphics card has not enough free memory for this. Close other programs that "
                "use it, ask for fewer or smaller pictures, or take a smaller base model."
            ) from error

    def _learn(self, request: LearnRequest, context: JobContext) -> LearnResult:
        base = self._bare(request.base_model, context)
        cache = self._data_dir / "cache" / "class-pictures"
        clip = self._clip_or_none(base)
        own_nouns = own_class_nouns(self._data_dir)
        environment = LearningEnvironment(self._taken_identifiers(), own_nouns, cache, clip)
        return learn(base, request, context, environment, self._data_dir)

    def _generate(self, request: GenerateRequest, context: JobContext) -> GenerateResult:
        model = self._expanded(request.prompt, context).base_model or request.base_model
        self._loaded(model or DEFAULT_BASE_MODEL, context)
        assert self._studio is not None, "comes with the base model"
        # A grid asks for one prompt many times, and each adapter's file is checked by its hash.
        casting = functools.cache(functools.partial(self._cast, context))
        return generate(self._studio, request, casting, context)

    def _cast(self, context: JobContext, prompt: str) -> Cast:
        expanded = self._expanded(prompt, context)
        return Cast(
            text=expanded.text,
            subjects=tuple(_use_of(subject) for subject in expanded.subjects),
            garments=tuple(
                Garment(subject.adapter_sha256, self._subjects.adapter_path(subject.id))
                for subject in expanded.subjects
            ),
            references=tuple(p for each in expanded.subjects for p in self._references(each)),
        )

    def _expanded(self, prompt: str, context: JobContext) -> ExpandedPrompt:
        return expand(prompt, self._subjects.list(context.owner or None))

    def _describe(self, request: DescribeRequest, context: JobContext) -> DescribeResult:
        base = self._bare(request.base_model, context)
        context.progress(Progress(phase="looking at the pictures"))
        pictures = prepare_pictures([read_picture(i, context) for i in request.images], base)
        own_nouns = own_class_nouns(self._data_dir)
        guesses = class_noun.guess(pictures, base.family, self._clip(base), own_nouns)
        return DescribeResult(
            class_nouns=guesses,
            identifiers=identifier.choose(base, guesses[0].noun, self._taken_identifiers()),
            warnings=warnings_for(pictures),
        )

    def _loaded(self, model_id: str, context: JobContext) -> BaseModel:
        files = locate(model_id, self._data_dir)
        state = files, changed_ns(files.path)  # another model may have taken the name
        if self._base is None or self._state != state:
            context.progress(Progress(phase="loading the base model"))
            # frees the old one before the new one needs memory
            self._base = self._seeing = self._studio = None
            self._base = load_base_model(model_id, self._data_dir, self._device)
            self._state = state
            self._studio = Studio(self._base, self._data_dir)
        return self._base

    def _bare(self, model_id: str, context: JobContext) -> BaseModel:
        """The base as it is, without the adapters that painting leaves on."""
        base = self._loaded(model_id, context)
        if self._studio is not None:
            self._studio.wardrobe.empty()
        return base

    def _clip(self, base: BaseModel) -> Clip:
        """The CLIP of the base in memory, kept as long as that. Raises ModelMissing."""
        if self._seeing is None:
            self._seeing = clip_of(base, self._data_dir / "models")
        return self._seeing

    def _clip_or_none(self, base: BaseModel) -> Clip | None:
        """Learning goes on without one; then nobody measures how well."""
        try:
            return self._clip(base)
        except ModelMissing as error:
            _log.warning("%s", error)
            return None

    def _references(self, subject: SubjectRecord) -> list[Image.Image]:
        folder = self._subjects.folder(subject.id) / "references"
        return [Image.open(file).convert("RGBA") for file in sorted(folder.glob("*.png"))]

    def _taken_identifiers(self) -> set[str]:
        return {subject.identifier for subject in self._subjects.list()}


def _use_of(subject: SubjectRecord) -> SubjectUse:
    return SubjectUse(
        id=subject.id,
        name=subject.name,
        identifier=subject.identifier,
        class_noun=subject.class_noun,
        adapter_sha256=subject.adapter_sha256,
    )


def make_runner(data_dir: Path) -> Worker:
    """Make the worker of this process, on the device MODELSHEET_DEVICE names or the best there
    is.
    """
    return Worker(data_dir, choose_device(os.environ.get("MODELSHEET_DEVICE", "")))


def choose_device(wanted: str) -> torch.device:
    if wanted:
        return torch.device(wanted)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
