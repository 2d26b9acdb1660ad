"""Photographs of DreamBooth's own data through everything: naming, learning, export, reload and
painting, on tiny SD 1.5 and SDXL.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from modelsheet.api.describe_images import DescribeRequest, DescribeResult
from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GenerateResult
from modelsheet.api.learn import LearnRequest, TrainingOverrides
from modelsheet.api.subjects import ImportRequest
from modelsheet.imaging.rgba import from_bgra, read_image
from modelsheet.subjects.lora_exchange import export_subject
from modelsheet.worker.runner import Worker
from tests.diffusion.training.test_learning_session import Context, learn
from tests.paths import SHARED_DATA
from tests.subjects.imported import import_lora

_FOLDER = SHARED_DATA / "dreambooth"
pytestmark = pytest.mark.skipif(not _FOLDER.is_dir(), reason="no photographs in ../shared/data")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("base_model", ["sd15", "sdxl"])
@pytest.mark.parametrize(("thing", "noun"), [("cat", "cat"), ("pink_sunglasses", "sunglasses")])
def test_photographs_go_the_whole_way(
    data_dir: Path, tmp_path: Path, base_model: str, thing: str, noun: str
) -> None:
    (tmp_path / "models").symlink_to(data_dir / "models")
    worker, context = Worker(tmp_path, torch.device("cpu")), Context(tmp_path, "a0")
    files = sorted((_FOLDER / thing).glob("*.jpg"))
    images = [context.send(read_image(file), file.name) for file in files]

    described = worker.run(DescribeRequest(base_model=base_model, images=images), context)
    assert isinstance(described, DescribeResult)
    overrides = {"training_steps": 4, "rank": 4, "unet_learning_rate": 5e-2}
    request = LearnRequest(
        name=thing,
        class_noun=noun,
        identifier=described.identifiers[0],
        base_model=base_model,
        images=images,
        overrides=TrainingOverrides.model_validate(overrides),
    )
    subject = learn(worker, context, request)
    kohya = export_subject(context.store, subject.id, tmp_path, "kohya")
    imported = ImportRequest(
        name=f"{thing} again",
        class_noun=noun,
        base_model=base_model,
        parts=["0" * 64],
        file_name="again.safetensors",
    )
    again = import_lora(context.store, kohya, imported, "", tmp_path)

    assert len(described.class_nouns) == 5
    assert len(subject.references) == len(files) >= 5
    assert subject.captions == [""] * len(files)  # "00.jpg" says nothing
    assert subject.curve[-1].step == 4
    assert any("background is learnt too" in warning for warning in subject.warnings)
    assert again.identifier == subject.identifier
    learnt, bare, reloaded = (
        painted(worker, context, prompt, base_model)
        for prompt in (f"@{thing}", f"a photo of a {noun}", f"@{thing}_again")
    )
    moved, rounded = np.abs(learnt - bare).mean(), np.abs(learnt - reloaded).mean()
    assert moved > 1.0
    assert rounded < moved / 4  # fp16 on the way


def painted(
    worker: Worker, context: Context, prompt: str, base_model: str
) -> npt.NDArray[np.float32]:
    request = GenerateRequest(prompt=prompt, base_model=base_model, inference_steps=3, seed=5)
    result = worker.run(request, context)
    assert isinstance(result, GenerateResult)
    (image,) = result.images
    content = context.read_blob(image.blob)
    return np.asarray(from_bgra(content, image.width, image.height), np.float32)
