"""`modelsheet bench painting`: whether two subjects stand where they are asked to, what a grid
saves against its pictures one by one, and what the service adds to the bare pipeline.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image

from modelsheet.api.explore import Axis, Explore
from modelsheet.api.generate import GenerateRequest, MaskRef, Region
from modelsheet.api.generate_result import GeneratedImage, GenerateResult
from modelsheet.api.jobs import JobRequest, Progress
from modelsheet.client import launcher
from modelsheet.diffusion.models.base_model import load_base_model
from modelsheet.diffusion.models.clip import Clip, load_clip
from modelsheet.diffusion.training.dataset import image_tensor
from modelsheet.imaging.contact_sheet import Cell, Section, draw_contact_sheet
from modelsheet.imaging.rgba import composite, from_bgra, read_image
from modelsheet.jobs.protocol import Directive
from modelsheet.settings import Settings
from modelsheet.subjects.store import SubjectRecord, SubjectStore
from modelsheet.worker.runner import Worker, make_runner
from modelsheet_benchmarks.diffusers_pipeline import paint_barely, seconds_of

_WHITE = (255, 255, 255)
_SCALES = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
_ROUNDS = 5
_CPU = torch.device("cpu")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("subjects", nargs=2, metavar="@NAME", help="two learnt subjects")
    parser.add_argument("--seeds", type=int, default=10, help="(%(default)s)")
    parser.add_argument("--steps", type=int, default=25, help="of the sampler (%(default)s)")
    parser.add_argument("--only", choices=("places", "grid", "service"), nargs="+")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="write the two in one there")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Raises ModelsheetError."""
    settings = Settings.from_environment(os.environ)
    store = SubjectStore(settings.data_dir)
    pair = [store.find(name) for name in arguments.subjects]
    bench = PaintingBench(settings, pair, arguments.steps)
    only = arguments.only or ["places", "grid", "service"]
    if "places" in only:
        both, pictures = bench.places(arguments.seeds)
        _say(f"both in their places: {both} of {arguments.seeds} seeds")
        if arguments.sheet:
            cells = [Cell(picture, f"seed {seed}") for seed, picture in enumerate(pictures)]
            draw_contact_sheet([Section("two subjects in one", cells, 5)]).save(arguments.sheet)
    if "grid" in only:
        one_by_one, at_once = bench.grid()
        share = at_once / one_by_one
        _say(f"36 pictures one by one {one_by_one:.1f} s, as a grid {at_once:.1f} s: {share:.0%}")
    if "service" in only:
        bare, served = bench.service()
        _say(f"bare pipeline {bare:.2f} s, through the service {served:.2f} s: {served / bare:.3f}")
        kept, sent = bench.upload()
        _say(f"a layer of 4096² hashed and written {kept:.2f} s, sent to the service {sent:.2f} s")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 -- a program, asked for its figures


@dataclass
class _Desk:
    """A job context in memory."""

    job_id: str = "bench"
    owner: str = ""
    checkpoint_dir: Path = Path()
    staging_dir: Path = Path()
    blobs: dict[str, bytes] = field(default_factory=dict)

    def progress(self, progress: Progress) -> None:
        return None

    def directive(self) -> Directive:
        return Directive.RUN

    def read_blob(self, sha256: str) -> bytes:
        return self.blobs[sha256]

    def write_blob(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        self.blobs[sha256] = content
        return sha256


class PaintingBench:
    """One worker in this process, and two subjects that it knows."""

    def __init__(self, settings: Settings, pair: Sequence[SubjectRecord], steps: int) -> None:
        self._settings, self._pair, self._steps = settings, pair, steps
        self._worker: Worker = make_runner(settings.data_dir)
        self._desk = _Desk()

    def places(self, seeds: int) -> tuple[int, list[Image.Image]]:
        """In how many pictures each half is nearer its own subject's references than the other's,
        by the mean cosine of the base's CLIP; and the pictures.
        """
        base = load_base_model(self._pair[0].base_model, self._settings.data_dir, _CPU)
        clip, side = load_clip(base, self._settings.data_dir / "models"), base.resolution
        references = [_embed(clip, self._references(subject)) for subject in self._pair]
        left, right = (self._half(side, index) for index in range(2))
        names = [f"@{subject.handle}" for subject in self._pair]
        request = GenerateRequest(
            prompt="on a white background",
            base_model=base.id,
            count=seeds,
            inference_steps=self._steps,
            regions=[
                Region(prompt=f"{name}, on a white background", mask=mask)
                for name, mask in zip(names, (left, right), strict=True)
            ],
        )
        pictures = [self._picture(image) for image in self._paint(request).images]
        return sum(_is_right(picture, clip, references) for picture in pictures), pictures

    def grid(self) -> tuple[float, float]:
        """Seconds for a 6 × 6 grid of scales: 36 jobs one by one, and one job; both warm."""
        alone = GenerateRequest(prompt=f"@{self._pair[0].handle}", inference_steps=self._steps)
        grid = Explore(
            across=Axis(name="text_encoder_scale", values=_SCALES),
            down=Axis(name="unet_scale", values=_SCALES),
        )
        self._paint(alone)

        def one_by_one() -> None:
            for text in _SCALES:
                for unet in _SCALES:
                    self._paint(
                        alone.model_copy(update={"text_encoder_scale": text, "unet_scale": unet})
                    )

        return seconds_of(one_by_one), seconds_of(
            lambda: self._paint(alone.model_copy(update={"explore": grid}))
        )

    def service(self) -> tuple[float, float]:
        """Median seconds for one warm picture of the first subject: by diffusers' own pipeline in
        this process, and through the service; taken in turn.
        """
        subject = self._pair[0]
        base = load_base_model(subject.base_model, self._settings.data_dir, _CPU)
        adapter = SubjectStore(self._settings.data_dir).adapter_path(subject.id)
        base.pipeline.load_lora_weights(adapter.parent, weight_name=adapter.name)
        prompt = f"{subject.identifier} {subject.class_noun}"
        request = GenerateRequest(prompt=f"@{subject.handle}", inference_steps=self._steps)

        bare = partial(paint_barely, base, prompt, self._steps)
        environment = dict(os.environ)
        with launcher.connect(self._settings, environment=environment) as client:

            def served() -> None:
                job = client.submit(request)
                result = client.wait(job.id, lambda view: None)
                assert isinstance(result, GenerateResult)
                client.fetch_image(result.images[0])

            times = [(seconds_of(bare), seconds_of(served)) for _ in range(_ROUNDS + 1)][1:]
        return median(b for b, _ in times), median(s for _, s in times)

    def upload(self) -> tuple[float, float]:
        """Median seconds for the bytes of a layer of 4096 × 4096: hashed and written to a file and
        nothing else, and sent to the service until it has them; taken in turn.
        """
        with (
            tempfile.TemporaryDirectory() as folder,
            launcher.connect(self._settings, environment=dict(os.environ)) as client,
        ):
            times = []
            for _ in range(_ROUNDS):
                layer = os.urandom(4096 * 4096 * 4)  # new every time, or it would be there already
                file = Path(folder) / "layer"
                kept = seconds_of(partial(_keep, layer, file))
                sent = seconds_of(partial(client.upload_bytes, layer))
                times.append((kept, sent))
        return median(k for k, _ in times), median(s for _, s in times)

    def _paint(self, request: JobRequest) -> GenerateResult:
        result = self._worker.run(request, self._desk)
        assert isinstance(result, GenerateResult)
        return result

    def _picture(self, image: GeneratedImage) -> Image.Image:
        return from_bgra(self._desk.blobs[image.blob], image.width, image.height)

    def _half(self, side: int, index: int) -> MaskRef:
        mask = np.zeros((side, 2 * side), np.uint8)
        mask[:, index * side : (index + 1) * side] = 255
        return MaskRef(blob=self._desk.write_blob(mask.tobytes()), width=2 * side, height=side)

    def _references(self, subject: SubjectRecord) -> list[Image.Image]:
        folder = SubjectStore(self._settings.data_dir).folder(subject.id) / "references"
        return [read_image(file) for file in sorted(folder.glob("*.png"))]


def _keep(layer: bytes, file: Path) -> None:
    hashlib.sha256(layer).digest()
    file.write_bytes(layer)


def _embed(clip: Clip, pictures: Sequence[Image.Image]) -> torch.Tensor:
    return clip.embed_images([image_tensor(composite(picture, _WHITE)) for picture in pictures])


def _is_right(picture: Image.Image, clip: Clip, references: Sequence[torch.Tensor]) -> bool:
    side = picture.height
    halves = [picture.crop((index * side, 0, (index + 1) * side, side)) for index in range(2)]
    vectors = _embed(clip, halves)
    near = [[float((v @ known.T).mean()) for known in references] for v in vectors]
    return near[0][0] > near[0][1] and near[1][1] > near[1][0]
