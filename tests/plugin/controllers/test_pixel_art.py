"""The checkbox for pixel art follows the prompt's subjects until the artist has clicked it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from modelsheet.api.generate import PixelArt
from modelsheet.api.models import BaseModelView
from modelsheet.api.subjects import SubjectView
from tests.plugin.conftest import Until
from tests.plugin.drive import newest_request
from tests.plugin.fake_backend import MODEL, FakeBackend


@pytest.fixture
def box(connected: Any, document: Any, remote: FakeBackend, until: Until) -> Any:
    """The docker's prompt box; @sprite was learnt from pixel art, @painting was not."""
    for name, palette in (("Sprite", ["#102030"]), ("Painting", [])):
        remote.subjects.append(
            SubjectView(
                id=name,
                name=name,
                class_noun="knight",
                identifier="sks",
                base_model="sprite32",
                created=time.time(),
                references=[],
                training_steps=1,
                palette=palette,
            )
        )
    remote.publish(None)
    until(lambda: connected.controller.panel.subjects.items.count() == 2)
    return connected.controller.panel.box


@pytest.mark.parametrize(
    ("prompt", "is_checked"),
    [
        ("a hill", False),
        ("@sprite, holding a sword", True),
        ("@painting", False),
        ("@sprite and @painting", False),
        ("@Sprite", True),
        ("@sprite's sword", True),
        ("(@sprite)", True),
        ("@ sprite", False),
        ("@sprites", False),
    ],
)
def test_it_follows_the_subjects_of_the_prompt_and_leaves_the_choice_to_the_backend(
    box: Any, remote: FakeBackend, until: Until, prompt: str, is_checked: bool
) -> None:
    box.prompt.setText(prompt)

    assert box.advanced.pixel_art.isChecked() is is_checked
    box.generate.click()
    assert newest_request(remote, until).pixel_art is None


def test_a_click_counts_whatever_is_in_the_prompt(
    box: Any, remote: FakeBackend, until: Until
) -> None:
    box.prompt.setText("@sprite")
    box.advanced.pixel_art.click()
    box.prompt.setText("@sprite sitting")

    assert not box.advanced.pixel_art.isChecked()
    box.generate.click()
    assert newest_request(remote, until).pixel_art is False
    box.advanced.pixel_art.click()
    box.generate.click()
    until(lambda: any(r.pixel_art == PixelArt() for r in [*remote.requests.values()]))


def test_it_is_off_by_itself_where_the_model_paints_no_pixels(
    box: Any, connected: Any, remote: FakeBackend, until: Until
) -> None:
    klein = BaseModelView(id="klein", family="flux2-klein", resolution=1024, available=True)
    remote.base_models = [MODEL, klein]
    connected.controller.connection.refresh_capabilities()
    [sprite] = [one for one in remote.subjects if one.name == "Sprite"]
    changed = {"id": "Large", "name": "Large", "base_model": klein.id}
    remote.subjects.append(sprite.model_copy(update=changed))
    remote.publish(None)
    until(lambda: connected.controller.panel.subjects.items.count() == 3)

    box.prompt.setText("@large")

    until(lambda: box.advanced.image_size.itemText(0) == "1024 × 1024 (model's)")
    assert not box.advanced.pixel_art.isChecked()
    box.prompt.setText("@sprite")
    assert box.advanced.pixel_art.isChecked()


def test_a_subject_that_comes_later_counts_too(
    box: Any, connected: Any, remote: FakeBackend, until: Until
) -> None:
    box.prompt.setText("@new")
    assert not box.advanced.pixel_art.isChecked()

    [sprite] = [one for one in remote.subjects if one.name == "Sprite"]
    remote.subjects.append(sprite.model_copy(update={"id": "New", "name": "New"}))
    remote.publish(None)

    until(box.advanced.pixel_art.isChecked)


def test_the_model_s_size_is_a_number(box: Any) -> None:
    box.prompt.setText("@sprite holding sword")

    assert box.advanced.image_size.itemText(0) == "32 × 32 (model's)"
