"""A base is computed in the precision that is faster, and in bf16 on a CPU it all still works."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GenerateResult
from modelsheet.api.learn import TrainingOverrides
from modelsheet.diffusion.families.stable_diffusion import precision
from modelsheet.diffusion.families.stable_diffusion.precision import bf16_speedup, choose_dtype
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.imaging.rgba import from_bgra
from modelsheet.worker.runner import Worker
from tests.diffusion.training.test_learning_session import Context, learn, learn_request

CPU = torch.device("cpu")


def configs(folder: Path, channels: list[int]) -> Path:
    (folder / "unet").mkdir()
    described = json.dumps({"block_out_channels": channels})
    (folder / "unet" / "config.json").write_text(described)
    return folder


@pytest.mark.parametrize(
    ("channels", "gain", "wanted"),
    [
        ([320, 1280], 2.0, torch.bfloat16),
        ([320, 1280], 0.2, torch.float32),
        ([64, 256], 2.0, torch.float32),
    ],
    ids=["wide, fast bf16", "wide, slow bf16", "narrow"],
)
def test_a_cpu_computes_a_wide_network_in_the_faster_dtype(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    channels: list[int],
    gain: float,
    wanted: torch.dtype,
) -> None:
    monkeypatch.setattr(precision, "bf16_speedup", lambda: gain)

    assert choose_dtype(CPU, configs(tmp_path, channels)) is wanted


def test_the_gain_is_measured_once() -> None:
    assert bf16_speedup() == bf16_speedup() > 0.0


@pytest.fixture
def in_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Narrow bases too, whatever this processor is good at."""
    monkeypatch.setattr(precision, "_WIDE", 1)
    monkeypatch.setattr(precision, "bf16_speedup", lambda: 2.0)


@pytest.mark.usefixtures("in_bf16")
@pytest.mark.parametrize(("base_model", "job"), [("sd15", "bf15"), ("sdxl", "bf11")])
def test_a_base_in_bf16_learns_and_generates_a_subject(
    data_dir: Path, pictures: list[Image.Image], base_model: str, job: str
) -> None:
    base = load_base_model(base_model, data_dir, CPU)
    assert {p.dtype for p in base.unet.parameters()} == {base.dtype} == {torch.bfloat16}
    assert {p.dtype for p in base.vae.parameters()} == {torch.float32}
    worker, context = Worker(data_dir, CPU), Context(data_dir, job)
    overrides = TrainingOverrides(
        training_steps=4, prior="class-images", pivotal=True, unet_learning_rate=1e-2
    )

    subject = learn(
        worker,
        context,
        learn_request(context, pictures, base_model=base_model, overrides=overrides),
    )

    assert all(np.isfinite(point.subject_fidelity) for point in subject.curve)
    request = GenerateRequest(prompt=f"@{subject.handle}", inference_steps=2)
    with_subject, without = (
        generated(worker, context, request.model_copy(update={"unet_scale": scale}))
        for scale in (1.0, 0.0)
    )
    assert not np.array_equal(with_subject, without)


def generated(worker: Worker, context: Context, request: GenerateRequest) -> np.ndarray:
    result = worker.run(request, context)
    assert isinstance(result, GenerateResult)
    image = result.images[0]
    return np.asarray(from_bgra(context.read_blob(image.blob), image.width, image.height))
