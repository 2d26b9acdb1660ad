"""The settings offer what the model of the prompt can do, and no more."""

from __future__ import annotations

import time
from typing import Any

import pytest

from modelsheet.api.models import BaseModelView
from modelsheet.api.subjects import SubjectView
from tests.plugin.conftest import Until
from tests.plugin.fake_backend import MODEL, FakeBackend

FLOW = BaseModelView(
    id="flow",
    family="flux2-klein",
    resolution=1024,
    available=True,
    samplers=["Euler"],
    tiles_seamlessly=False,
)


@pytest.fixture
def settings(
    remote: FakeBackend, until: Until, document: Any, request: pytest.FixtureRequest
) -> Any:
    """The docker's settings; @fox was learnt on a model that has one sampler."""
    remote.base_models = [MODEL, FLOW]
    remote.subjects.append(
        SubjectView(
            id="Fox",
            name="Fox",
            class_noun="fox",
            identifier="sks",
            base_model="flow",
            created=time.time(),
            references=[],
            training_steps=1,
        )
    )
    connected = request.getfixturevalue("connected")
    until(lambda: connected.controller.panel.subjects.items.count() == 1)
    return connected.controller.panel.box


def offered(box: Any) -> list[str]:
    sampler = box.advanced.sampler
    return [sampler.itemData(row) for row in range(sampler.count())]


def test_only_what_the_model_can_do_is_offered(settings: Any) -> None:
    before = offered(settings)
    assert {"", "Euler", "DDIM"} < set(before)
    assert not settings.advanced.tiling.isHidden()

    settings.prompt.setText("@fox in the snow")

    assert offered(settings) == ["", "Euler"]
    assert settings.advanced.tiling.isHidden()
    settings.prompt.setText("a hill")
    assert offered(settings) == before
    assert not settings.advanced.tiling.isHidden()


@pytest.mark.parametrize(("chosen", "kept"), [("Euler", "Euler"), ("DDIM", "")])
def test_what_it_cannot_do_goes_back_to_the_default(settings: Any, chosen: str, kept: str) -> None:
    advanced = settings.advanced
    advanced.sampler.setCurrentIndex(advanced.sampler.findData(chosen))
    advanced.tiling.setChecked(True)

    settings.prompt.setText("@fox in the snow")

    assert advanced.settings().sampler == kept
    assert not advanced.settings().tiling
