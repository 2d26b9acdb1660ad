"""A runner without torch: it learns by hashing, saves a checkpoint each step, and misbehaves when a
prompt says so.

The adapter is a hash over all steps, so a resumed run that skipped or repeated one gives other
bytes. The class noun of a learn job, or the prompt of a generate job, is read as words:
`crash-at-3` and `freeze-at-3` (once), `always-crash`, `explode`, `hungry` (for more memory than
there is), `slow`, `deaf` (ignores directives), `echo` (gives back the picture it was given),
`wait`, `wait-at-6` and `disk-full` (until the file `go` stands in the data folder),
`fill-the-disk` (once, before what was learnt is published).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import time
from pathlib import Path

from modelsheet.api.animate import AnimateRequest, AnimateResult, AnimationFrame, FigureFit
from modelsheet.api.describe_images import DescribeRequest, DescribeResult
from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GeneratedImage, GenerateResult, GenerationParameters
from modelsheet.api.jobs import JobRequest, JobResult, Progress
from modelsheet.api.learn import LearnRequest, LearnResult
from modelsheet.api.models import BaseModelView
from modelsheet.errors import Cancelled, DiskFull
from modelsheet.jobs.protocol import Directive, JobContext, JobSuspended, LoadedModels
from modelsheet.prompts.image_requests import ImageRequest, image_requests
from modelsheet.prompts.mentions import expand_prompt
from modelsheet.subjects.record import SubjectRecord, write_record
from modelsheet.subjects.store import ADAPTER, SubjectStore

STEPS = 20
LOADS = "loads.jsonl"  # of a cluster's toys
_MOST_ADAPTERS = 16
OTHER_MODEL = BaseModelView(id="other", family="sprite32", resolution=32, available=True)
TOY_MODEL = BaseModelView(id="sprite32", family="sprite32", resolution=32, available=True)
REFERENCE_MODEL = BaseModelView(
    id="by-references", family="sd15", resolution=32, available=True, takes_references=True
)


def make_runner(data_dir: Path) -> ToyRunner:
    return ToyRunner(data_dir)


def undisturbed_adapter(steps: int = STEPS) -> bytes:
    """What learning leaves when nothing comes in between."""
    state = b""
    for step in range(1, steps + 1):
        state = _advanced(state, step)
    return state


def _advanced(state: bytes, step: int) -> bytes:
    return hashlib.sha256(state + step.to_bytes(4, "big")).digest()


class ToyRunner:
    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        # On a cluster the data folder is the worker's own; this one is everybody's.
        self._toys = Path(os.environ.get("MODELSHEET_TOYS", data_dir))
        self.loaded_models = LoadedModels()

    def run(self, request: JobRequest, context: JobContext) -> JobResult:
        if isinstance(request, LearnRequest):
            return self._learn(request, context)
        if isinstance(request, GenerateRequest):
            return self._generate(request, context)
        if isinstance(request, AnimateRequest):
            return _animated(request)
        return self._describe(request)

    def _load(self, needs: LoadedModels, job_id: str) -> None:
        """Have this in memory as the true worker does, where learning and another base model take
        all adapters off; on a cluster, note what was there already.
        """
        before = self.loaded_models
        kept = before.adapters if before.covers(needs) and needs.adapters else ()
        adapters = [one for one in kept if one not in needs.adapters]
        self.loaded_models = LoadedModels(
            needs.base_model, (*adapters, *needs.adapters)[-_MOST_ADAPTERS:]
        )
        if "MODELSHEET_TOYS" in os.environ:
            line = {"job": job_id, "covered": before.covers(needs)}
            with (self._toys / LOADS).open("a") as stream:
                stream.write(json.dumps(line) + "\n")

    def _learn(self, request: LearnRequest, context: JobContext) -> LearnResult:
        self._load(LoadedModels(request.base_model), context.job_id)
        total = request.overrides.training_steps or STEPS
        words = set(request.class_noun.split())
        step, state = _resume(context.checkpoint_dir)
        while step < total:
            self._misbehave(words, step + 1, context)
            if step and context.directive() is Directive.FINISH:
                total = step
                break
            self._obey(words, context.directive())
            step, state = step + 1, _advanced(state, step + 1)
            _save(context.checkpoint_dir, step, state)
            context.progress(
                Progress(phase="learning", step=step, total=total, fraction=step / total)
            )
        self._stage(request, context, state, total)
        if self._first(words, "fill-the-disk", context):
            fill(self._data_dir / "filler")
        return LearnResult(
            subject_id=context.job_id, training_steps=total, best_step=total, seconds=0.0
        )

    def _generate(self, request: GenerateRequest, context: JobContext) -> GenerateResult:
        words, planned = set(request.prompt.split()), image_requests(request)
        subjects = SubjectStore(self._data_dir).list(context.owner or None)
        named = expand_prompt(request.prompt, subjects, context.owner)
        adapters = tuple(subject.adapter_sha256 for subject in named.subjects)
        self._load(LoadedModels(named.base_model or "sprite32", adapters), context.job_id)
        images = []
        for index, image in enumerate(planned):
            self._misbehave(words, index + 1, context)
            self._obey(words, context.directive())
            images.append(_painted(image, context))
            context.progress(Progress(phase="painting", step=index + 1, total=len(planned)))
        is_many = request.explore is not None or bool(request.poses)
        return GenerateResult(images=images, sheet=images[0] if is_many else None, columns=1)

    def _describe(self, request: DescribeRequest) -> DescribeResult:
        return DescribeResult(class_nouns=[], identifiers=[f"toy{len(request.images)}"])

    def _obey(self, words: set[str], directive: Directive) -> None:
        if "deaf" in words:
            return
        if directive is Directive.CANCEL:
            raise Cancelled("cancelled")
        if directive in (Directive.YIELD, Directive.PAUSE):
            raise JobSuspended

    def _misbehave(self, words: set[str], step: int, context: JobContext) -> None:
        if "explode" in words:
            _ = 1 / 0
        if "hungry" in words:
            _ = bytes(1 << 62)
        if "slow" in words:
            time.sleep(0.02)  # the work itself
        if "disk-full" in words and not (self._toys / "go").exists():
            raise DiskFull("The disk is full; free some space and resume.")
        waits = bool({"wait", f"wait-at-{step}"} & words)
        while waits and not (self._toys / "go").exists():
            if context.directive() is Directive.FINISH:
                break
            self._obey(words, context.directive())
            time.sleep(0.005)
        if "always-crash" in words or self._first(words, f"crash-at-{step}", context):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._first(words, f"freeze-at-{step}", context):
            os.kill(os.getpid(), signal.SIGSTOP)

    def _first(self, words: set[str], word: str, context: JobContext) -> bool:
        mark = self._toys / f"did-{word}-{context.job_id}"
        if word not in words or mark.exists():
            return False
        mark.touch()
        return True

    def _stage(self, request: LearnRequest, context: JobContext, state: bytes, total: int) -> None:
        (context.staging_dir / ADAPTER).write_bytes(state)
        record = SubjectRecord(
            id=context.job_id,
            name=request.name,
            class_noun=request.class_noun,
            identifier="toy",
            base_model=request.base_model,
            created=time.time(),
            references=request.images,
            captions=request.captions or [],
            preset=request.preset,
            seed=request.seed,
            training_steps=total,
            best_step=total,
            adapter_sha256=hashlib.sha256(state).hexdigest(),
            curve=[],
            warnings=[],
        )
        write_record(context.staging_dir, record)


def fill(path: Path) -> None:
    """Write into a file until the disk is full to the last byte; only on a disk made for that."""
    with path.open("ab", buffering=0) as stream:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while True:
                    stream.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def _resume(folder: Path) -> tuple[int, bytes]:
    try:
        saved = json.loads((folder / "state.json").read_text())
    except FileNotFoundError:
        return 0, b""
    return saved["step"], bytes.fromhex(saved["state"])


def _save(folder: Path, step: int, state: bytes) -> None:
    temporary = folder / "state.tmp"
    temporary.write_text(json.dumps({"step": step, "state": state.hex()}))
    os.replace(temporary, folder / "state.json")


def _animated(request: AnimateRequest) -> AnimateResult:
    """Give the first drawing back as every key view, and as two frames of each action."""
    drawing = request.drawings[0].image.model_dump(exclude={"name"})
    keys = [AnimationFrame(**drawing, view=view, action="") for view in request.views]
    frames = [
        AnimationFrame(**drawing, view=view, action=action, index=index, frame_ms=100)
        for action in request.actions
        for view in request.views
        for index in range(2)
    ]
    frames += [
        AnimationFrame(
            **figure.model_dump(exclude={"name"}),
            view=own.view,
            action=own.name,
            index=index,
            frame_ms=own.frame_ms,
        )
        for own in request.own_actions
        for index, figure in enumerate(own.mannequins)
    ]
    fit = FigureFit(body="male", top=1, neck=2, feet=3, centre=4, head_width=1, body_width=1)
    return AnimateResult(
        key_views=keys, frames=frames, mannequins=keys, fit=fit, scale=1.0, origin_x=0, origin_y=0
    )


def _painted(image: ImageRequest, context: JobContext) -> GeneratedImage:
    """One pixel whose colour is the seed; or what was given, if it shall be an echo."""
    request = image.request
    content = request.seed.to_bytes(4, "big")
    if "echo" in request.prompt.split() and request.init_image is not None:
        content = context.read_blob(request.init_image.blob)
    recipe = GenerationParameters(
        version="toy",
        base_model="sprite32",
        text=image.prompt,
        subjects=[],
        sampler=request.sampler or "DDIM",
        inference_steps=request.inference_steps or 1,
        guidance_scale=request.guidance_scale or 1.0,
        width=1,
        height=1,
        request=request,
    )
    return GeneratedImage(
        blob=context.write_blob(content),
        width=1,
        height=1,
        seed=request.seed,
        prompt=request.prompt,
        label=image.label,
        recipe=recipe,
    )
