"""`modelsheet bench painting`: test that two subjects appear in their regions, and time a grid
against its images one by one, and the service against diffusers' pipeline.
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
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.base_model import image_tensor
from modelsheet.diffusion.models.clip_encoders import Clip, load_clip
from modelsheet.imaging.contact_sheet import Cell, Section, draw_contact_sheet
from modelsheet.imaging.rgba import composite, from_bgra, read_image
from modelsheet.jobs.protocol import Directive
from modelsheet.settings import Settings
from modelsheet.subjects.record import SubjectRecord
from modelsheet.subjects.store import SubjectStore
from modelsheet.worker.runner import Worker, make_runner
from modelsheet_benchmarks.console import print_line
from modelsheet_benchmarks.diffusers_pipeline import generate_with_diffusers, seconds_of

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
    """Run the chosen parts, print their results; return the exit code. Raises ModelsheetError."""
    settings = Settings.from_environment(os.environ)
    store = SubjectStore(settings.data_dir)
    pair = [store.find(name) for name in arguments.subjects]
    bench = GenerationBenchmark(settings, pair, arguments.steps)
    only = arguments.only or ["places", "grid", "service"]
    if "places" in only:
        both, images = bench.regions(arguments.seeds)
        print_line(f"both in their places: {both} of {arguments.seeds} seeds")
        if arguments.sheet:
            cells = [Cell(picture, f"seed {seed}") for seed, picture in enumerate(images)]
            draw_contact_sheet([Section("two subjects in one", cells, 5)]).save(arguments.sheet)
    if "grid" in only:
        one_by_one, at_once = bench.grid()
        share = at_once / one_by_one
        print_line(
            f"36 pictures one by one {one_by_one:.1f} s, as a grid {at_once:.1f} s: {share:.0%}"
        )
    if "service" in only:
        bare, served = bench.service()
        ratio = served / bare
        print_line(f"bare pipeline {bare:.2f} s, through the service {served:.2f} s: {ratio:.3f}")
        kept, sent = bench.upload()
        print_line(
            f"a layer of 4096² hashed and written {kept:.2f} s, sent to the service {sent:.2f} s"
        )
    return 0


@dataclass
class _InMemoryJobContext:
    """A JobContext that keeps blobs in memory, reports nothing and is never interrupted."""

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


class GenerationBenchmark:
    """A worker in this process, with two learnt subjects."""

    def __init__(self, settings: Settings, pair: Sequence[SubjectRecord], steps: int) -> None:
        self._settings, self._pair, self._steps = settings, pair, steps
        self._worker: Worker = make_runner(settings.data_dir)
        self._context = _InMemoryJobContext()

    def regions(self, seeds: int) -> tuple[int, list[Image.Image]]:
        """Count the images of which each half is nearer its own subject's references than the
        other's, by the mean cosine of the base's CLIP; return the images too.
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
        pictures = [self._picture(image) for image in self._generate(request).images]
        return sum(_has_both(picture, clip, references) for picture in pictures), pictures

    def grid(self) -> tuple[float, float]:
        """Time a 6 × 6 grid of scales: 36 jobs one by one, and one job; seconds, both warm."""
        alone = GenerateRequest(prompt=f"@{self._pair[0].handle}", inference_steps=self._steps)
        grid = Explore(
            across=Axis(name="text_encoder_scale", values=_SCALES),
            down=Axis(name="unet_scale", values=_SCALES),
        )
        self._generate(alone)

        def one_by_one() -> None:
            for text in _SCALES:
                for unet in _SCALES:
                    self._generate(
                        alone.model_copy(update={"text_encoder_scale": text, "unet_scale": unet})
                    )

        return seconds_of(one_by_one), seconds_of(
            lambda: self._generate(alone.model_copy(update={"explore": grid}))
        )

    def service(self) -> tuple[float, float]:
        """Time one warm image of the first subject, by diffusers' own pipeline in this process and
        through the service, taken in turn; median seconds.
        """
        subject = self._pair[0]
        base = load_base_model(subject.base_model, self._settings.data_dir, _CPU)
        adapter = SubjectStore(self._settings.data_dir).adapter_path(subject.id)
        base.pipeline.load_lora_weights(adapter.parent, weight_name=adapter.name)
        prompt = f"{subject.identifier} {subject.class_noun}"
        request = GenerateRequest(prompt=f"@{subject.handle}", inference_steps=self._steps)

        bare = partial(generate_with_diffusers, base, prompt, self._steps)
        environment = dict(os.environ)
        with launcher.connect(self._settings, environment=environment) as client:

            def served() -> None:
                job = client.submit(request)
                result = client.wait(job.id, lambda variant: None)
                assert isinstance(result, GenerateResult)
                client.fetch_image(result.images[0])

            times = [(seconds_of(bare), seconds_of(served)) for _ in range(_ROUNDS + 1)][1:]
        return median(b for b, _ in times), median(s for _, s in times)

    def upload(self) -> tuple[float, float]:
        """Time the bytes of a layer of 4096 × 4096: hashed and written to a file, and uploaded to
        the service, taken in turn; median seconds.
        """
        with (
            tempfile.TemporaryDirectory() as folder,
            launcher.connect(self._settings, environment=dict(os.environ)) as client,
        ):
            times = []
            for _ in range(_ROUNDS):
                layer = os.urandom(4096 * 4096 * 4)  # new every time, for known blobs are not sent
                file = Path(folder) / "layer"
                kept = seconds_of(partial(_keep, layer, file))
                sent = seconds_of(partial(client.upload_bytes, layer))
                times.append((kept, sent))
        return median(k for k, _ in times), median(s for _, s in times)

    def _generate(self, request: JobRequest) -> GenerateResult:
        result = self._worker.run(request, self._context)
        assert isinstance(result, GenerateResult)
        return result

    def _picture(self, image: GeneratedImage) -> Image.Image:
        return from_bgra(self._context.blobs[image.blob], image.width, image.height)

    def _half(self, side: int, index: int) -> MaskRef:
        mask = np.zeros((side, 2 * side), np.uint8)
        mask[:, index * side : (index + 1) * side] = 255
        return MaskRef(blob=self._context.write_blob(mask.tobytes()), width=2 * side, height=side)

    def _references(self, subject: SubjectRecord) -> list[Image.Image]:
        folder = SubjectStore(self._settings.data_dir).folder(subject.id) / "references"
        return [read_image(file) for file in sorted(folder.glob("*.png"))]


def _keep(layer: bytes, file: Path) -> None:
    hashlib.sha256(layer).digest()
    file.write_bytes(layer)


def _embed(clip: Clip, pictures: Sequence[Image.Image]) -> torch.Tensor:
    return clip.embed_images([image_tensor(composite(picture, _WHITE)) for picture in pictures])


def _has_both(picture: Image.Image, clip: Clip, references: Sequence[torch.Tensor]) -> bool:
    """Tell if each half is nearest to its own subject's references."""
    side = picture.height
    halves = [picture.crop((index * side, 0, (index + 1) * side, side)) for index in range(2)]
    vectors = _embed(clip, halves)
    near = [[float((v @ known.T).mean()) for known in references] for v in vectors]
    return near[0][0] > near[0][1] and near[1][1] > near[1][0]
