"""Learning moves pictures towards the subject, by a number, on the base model that ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GenerateResult
from modelsheet.api.learn import LearnRequest, TrainingOverrides
from modelsheet.imaging.openraster import read_layers
from modelsheet.imaging.rgba import composite, from_bgra
from modelsheet.worker.runner import Worker
from modelsheet_benchmarks.image_distance import shifted_distances
from tests.diffusion.training.test_learning_session import Context, learn
from tests.paths import HERO

WHITE = (255, 255, 255)


def distance(picture: Image.Image, truth: Image.Image) -> float:
    """Mean squared distance in [0, 1], forgiving a shift of one pixel."""
    candidates = np.asarray(composite(truth, WHITE))[None]
    return float(shifted_distances(np.asarray(picture), candidates)[0]) / 255**2


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_hero_is_painted_as_herself(tmp_path: Path) -> None:
    layers = read_layers(HERO)
    worker, context = Worker(tmp_path, torch.device("cpu")), Context(tmp_path, "a0")

    def painted(prompt: str) -> list[Image.Image]:
        request = GenerateRequest(
            prompt=f"{prompt}, on a white background", count=2, inference_steps=12
        )
        result = worker.run(request, context)
        assert isinstance(result, GenerateResult)
        return [
            from_bgra(context.read_blob(i.blob), i.width, i.height).convert("RGB")
            for i in result.images
        ]

    before = [distance(each, layers[0].image) for each in painted("human woman")]
    subject = learn(
        worker,
        context,
        LearnRequest(
            name="Hero",
            class_noun="human woman",
            preset="quick",
            images=[context.send(layer.image, layer.name) for layer in layers],
            overrides=TrainingOverrides(training_steps=45),
        ),
    )
    after = [distance(each, layers[0].image) for each in painted("@hero")]

    assert np.mean(after) < 0.8 * np.mean(before), (after, before, subject.curve)
