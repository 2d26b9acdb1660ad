"""The same work done by us and by diffusers, each time in a process of its own."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from pydantic import BaseModel as Written

from modelsheet.api.learn import TrainingOverrides
from modelsheet.base_models.catalogue import locate_base_model
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.imaging.rgba import composite
from modelsheet_benchmarks import diffusers_script, standalone_training
from modelsheet_benchmarks.diffusers_script import Cost, RivalSetting
from modelsheet_benchmarks.first_image import Order
from modelsheet_benchmarks.sd15_step import drawn_picture
from modelsheet_benchmarks.subjects import Doll

_RANK = 4
_RATE = 1e-4
_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Bench:
    """One subject on one base, with the same settings for both. `doll` is None on random weights,
    where there is no likeness to watch: then nothing is probed.
    """

    script: Path
    base: BaseModel
    data_dir: Path
    doll: Doll | None
    batch: int
    class_images: int
    inference_steps: int

    @property
    def pictures(self) -> list[Image.Image]:
        return self.doll.references if self.doll else [drawn_picture()]

    @property
    def class_noun(self) -> str:
        return self.doll.class_noun if self.doll else "cat"

    @property
    def precision(self) -> str:
        return str(self.base.dtype).removeprefix("torch.")

    def ours(self, steps: int, *, prior: bool, probed: bool) -> Cost:
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
        wish = standalone_training.Wish(
            class_noun=self.class_noun, overrides=overrides, probed=probed
        )
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            for index, picture in enumerate(self.pictures):
                picture.save(place / f"{index:02}.png")
            (place / "out").mkdir()
            errand = standalone_training.Errand(
                base_model=self.base.id,
                data_dir=self.data_dir,
                pictures=place,
                out=place / "out",
                wish=wish,
            )
            return _carried_out("modelsheet_benchmarks.standalone_training", errand)

    def theirs(self, steps: int, *, prior: bool) -> Cost:
        setting = RivalSetting(
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
            return diffusers_script.learn(self.script, pictures, setting, Path(folder))[1]

    def first_picture(self, *, bare: bool) -> Cost:
        """From the start of a process to its first picture."""
        order = Order(
            base_model=self.base.id,
            data_dir=self.data_dir,
            prompt=self.class_noun,
            side=self.base.resolution,
            inference_steps=self.inference_steps,
            guidance_scale=self.base.guidance_scale,
            dtype=self.precision,
            bare=bare,
        )
        return _carried_out("modelsheet_benchmarks.first_image", order)


def _carried_out(module: str, errand: Written) -> Cost:
    """Give a process of its own what it is to do as a file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "errand.json"
        file.write_text(errand.model_dump_json(), "utf-8")
        return diffusers_script.timed([sys.executable, "-m", module, str(file)])
