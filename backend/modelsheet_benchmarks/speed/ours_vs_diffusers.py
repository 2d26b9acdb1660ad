"""Run the same training and generation by Modelsheet and by diffusers, each in its own process;
Modelsheet in the environment of the service's worker.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from pydantic import BaseModel as Spec

from modelsheet.api.learn import TrainingOverrides
from modelsheet.base_models.locate import locate_base_model
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.imaging.rgba import composite
from modelsheet.service.executors.environment import worker_environment
from modelsheet_benchmarks import diffusers_script, standalone_training
from modelsheet_benchmarks.diffusers_script import ProcessCost, ScriptSettings
from modelsheet_benchmarks.speed.first_image import FirstImageSpec
from modelsheet_benchmarks.speed.sd15_step import drawn_picture
from modelsheet_benchmarks.subjects import BenchmarkSubject

_RANK = 4
_RATE = 1e-4
_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class PairedBenchmark:
    """One subject on one base, with the same settings for both programs. `subject` is None on
    random weights, where there is no fidelity to measure: then nothing is validated.
    """

    script: Path
    base: BaseModel
    data_dir: Path
    subject: BenchmarkSubject | None
    batch: int
    class_images: int
    inference_steps: int

    @property
    def pictures(self) -> list[Image.Image]:
        return self.subject.references if self.subject else [drawn_picture()]

    @property
    def class_noun(self) -> str:
        return self.subject.class_noun if self.subject else "cat"

    @property
    def precision(self) -> str:
        return str(self.base.dtype).removeprefix("torch.")

    def ours(self, steps: int, *, prior: bool, validated: bool) -> ProcessCost:
        """Train by Modelsheet."""
        overrides = TrainingOverrides(
            training_steps=steps,
            batch=self.batch,
            rank=_RANK,
            text_encoder_rank=_RANK,
            unet_learning_rate=_RATE,
            text_encoder_learning_rate=_RATE,
            feed_forward=False,
            convolutions=False,
            own_decoder=False,
            prior="no-images" if prior else "none",
        )
        request = standalone_training.benchmark_request(
            self.class_noun, self.pictures, base_model=self.base.id, overrides=overrides
        )
        with tempfile.TemporaryDirectory() as folder:
            directory = Path(folder)
            for index, picture in enumerate(self.pictures):
                picture.save(directory / f"{index:02}.png")
            (directory / "out").mkdir()
            spec = standalone_training.TrainingSpec(
                request=request,
                data_dir=self.data_dir,
                pictures=directory,
                out=directory / "out",
                validated=validated,
            )
            environment = worker_environment(os.environ)
            return _run_spec("modelsheet_benchmarks.standalone_training", spec, environment)

    def theirs(self, steps: int, *, prior: bool) -> ProcessCost:
        """Train by diffusers' script."""
        settings = ScriptSettings(
            base=locate_base_model(self.base.id, self.data_dir).path,
            prompt=f"ktn {self.class_noun}",
            class_prompt=self.class_noun,
            resolution=self.base.resolution,
            steps=steps,
            learning_rate=_RATE,
            batch=self.batch,
            rank=_RANK,
            class_images=self.class_images if prior else 0,
            mixed_precision="bf16" if self.base.dtype is torch.bfloat16 else "no",
        )
        pictures = [composite(reference, _WHITE) for reference in self.pictures]
        with tempfile.TemporaryDirectory() as folder:
            return diffusers_script.run_script(self.script, pictures, settings, Path(folder))[1]

    def first_image(self, *, use_diffusers: bool) -> ProcessCost:
        """Generate one image in a new process, its start and loading included."""
        spec = FirstImageSpec(
            base_model=self.base.id,
            data_dir=self.data_dir,
            prompt=self.class_noun,
            side=self.base.resolution,
            inference_steps=self.inference_steps,
            guidance_scale=self.base.guidance_scale,
            dtype=self.precision,
            use_diffusers=use_diffusers,
        )
        return _run_spec(
            "modelsheet_benchmarks.speed.first_image",
            spec,
            dict(os.environ) if use_diffusers else worker_environment(os.environ),
        )


def _run_spec(module: str, spec: Spec, environment: Mapping[str, str]) -> ProcessCost:
    """Run a module in a process of its own, with its spec as a JSON file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spec.json"
        file.write_text(spec.model_dump_json(), "utf-8")
        return diffusers_script.run_timed([sys.executable, "-m", module, str(file)], environment)
