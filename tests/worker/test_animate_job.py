"""Animate jobs with the embedded model: what is drawn, told and refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from modelsheet.api.animate import AnimateRequest, AnimateResult, AnimationFrame, OwnAction
from modelsheet.api.types import ImageRef
from modelsheet.errors import Cancelled, InvalidImages, NotFound
from modelsheet.imaging.rgba import from_bgra, to_bgra
from modelsheet.motion.character import NamedDrawing
from modelsheet.motion.figures.mannequin_archive import embedded_mannequins
from modelsheet.motion.network.embedded import load_motion_model
from modelsheet.motion.network.model import MotionModel
from modelsheet.subjects.record import write_record
from modelsheet.worker.animate_job import animate, subject_drawings
from modelsheet.worker.runner import Worker
from tests.diffusion.training.test_learning_session import Context
from tests.motion.figure_drawings import colours_of, figure
from tests.service.subject import stage_subject

Draw = Callable[..., AnimateResult]


@pytest.fixture(scope="module")
def model() -> MotionModel:
    return load_motion_model(torch.device("cpu"))


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(tmp_path, "ee")


@pytest.fixture
def draw(model: MotionModel, context: Context) -> Draw:
    def drawn(*drawings: NamedDrawing, **fields: object) -> AnimateResult:
        request = AnimateRequest(subject="@hero").model_copy(update=fields)
        return animate(request, drawings or [NamedDrawing(figure())], model, context)

    return drawn


def stored(image: Image.Image, context: Context) -> ImageRef:
    blob = context.write_blob(to_bgra(image))
    return ImageRef(blob=blob, width=image.width, height=image.height)


def image_of(frame: AnimationFrame, context: Context) -> Image.Image:
    return from_bgra(context.read_blob(frame.blob), frame.width, frame.height)


def test_key_views_come_first_then_actions_view_by_view(draw: Draw, context: Context) -> None:
    result = draw(views=["front", "left"], actions=["guard", "sit"])

    assert [(key.view, key.is_own) for key in result.key_views] == [
        ("front", True),
        ("left", False),
    ]
    order = [(frame.action, frame.view, frame.index) for frame in result.frames]
    assert order == [
        ("guard", "front", 0),
        ("guard", "front", 1),
        ("guard", "left", 0),
        ("guard", "left", 1),
        ("sit", "front", 0),
        ("sit", "left", 0),
    ]
    assert {frame.frame_ms for frame in result.frames if frame.action == "guard"} == {300}
    assert image_of(result.key_views[0], context).tobytes() == figure().tobytes()
    assert [mannequin.view for mannequin in result.mannequins] == ["front", "left"]
    assert (result.origin_x, result.origin_y, result.scale) == (0, 0, 1.0)


def test_an_action_of_one_view_brings_its_key_view(draw: Draw) -> None:
    result = draw(views=["front"], actions=["climb"])

    assert [key.view for key in result.key_views] == ["front", "back"]
    assert {frame.view for frame in result.frames} == {"back"}


def test_frames_of_another_size_keep_their_feet(draw: Draw, context: Context) -> None:
    plain = draw(views=["front"])
    large = draw(views=["front"], size=80)
    small = draw(views=["front"], size=20)

    assert (large.origin_x, large.origin_y) == (-8, -16)
    whole = image_of(large.key_views[0], context)
    assert whole.size == (80, 80)
    assert whole.crop((8, 16, 72, 80)).tobytes() == image_of(plain.key_views[0], context).tobytes()
    assert "reach beyond a frame of 20 px" in small.warnings[-1]


def test_an_action_of_ones_own_is_followed(draw: Draw, context: Context) -> None:
    walk = embedded_mannequins().figure("male", "walk").frames["walk", "left"]
    own = OwnAction(
        name="strut",
        view="left",
        mannequins=[stored(Image.fromarray(each), context) for each in (walk[1], walk[5])],
        frame_ms=70,
    )

    result = draw(views=["left"], own_actions=[own])

    assert [(f.action, f.index, f.frame_ms) for f in result.frames] == [
        ("strut", 0, 70),
        ("strut", 1, 70),
    ]
    for frame, mannequin in zip(result.frames, (walk[1], walk[5]), strict=True):
        drawn, grey = np.asarray(image_of(frame, context))[..., 3] > 0, mannequin[..., 3] > 0
        assert (drawn & grey).sum() / (drawn | grey).sum() > 0.7
        assert colours_of(image_of(frame, context)) <= colours_of(figure())


def test_a_mannequin_of_another_size_is_refused(draw: Draw, context: Context) -> None:
    wrong = stored(Image.new("RGBA", (40, 40), "grey"), context)
    own = OwnAction(name="strut", view="left", mannequins=[wrong])

    with pytest.raises(InvalidImages, match=r"“strut” is 40 × 40 px. Draw all of them on the"):
        draw(own_actions=[own])


def test_an_unknown_action_is_answered_with_the_known_ones(draw: Draw) -> None:
    with pytest.raises(NotFound, match="Known are: stand, walk"):
        draw(actions=["moonwalk"])


def test_progress_brings_the_pictures_so_far(draw: Draw, context: Context) -> None:
    draw(views=["front"], actions=["guard"])

    last = context.said[-1]
    assert (last.step, last.total) == (2, 2)
    assert [preview.label for preview in last.previews] == [
        "front",
        "guard front 0",
        "guard front 1",
    ]


def test_a_subject_is_animated_from_its_own_pictures(context: Context, tmp_path: Path) -> None:
    pictures = {"holding a sword": figure("right"), "front": figure(), "left": figure("left")}
    folder = context.staging_dir / "references"
    folder.mkdir()
    for number, picture in enumerate(pictures.values()):
        picture.save(folder / f"{number:02}.png")
    references = [context.send(picture, name) for name, picture in pictures.items()]
    record = stage_subject(context.staging_dir, "aa")
    write_record(context.staging_dir, record.model_copy(update={"references": references}))
    context.store.publish(context.staging_dir, "aa")

    worker = Worker(tmp_path, torch.device("cpu"))
    result = worker.run(AnimateRequest(subject="@hero", actions=["sit"]), context)

    assert isinstance(result, AnimateResult)
    own = {key.view: key.is_own for key in result.key_views}
    assert own == {"front": True, "left": True, "back": False, "right": False}
    with pytest.raises(NotFound, match="no subject called 'nobody'"):
        worker.run(AnimateRequest(subject="@nobody"), context)


def test_a_cancelled_job_ends_between_two_actions(model: MotionModel, tmp_path: Path) -> None:
    context = Context(tmp_path, "ff", stop_at=2, directive="cancel")
    request = AnimateRequest(subject="@hero", views=["front"], actions=["guard", "walk"])

    with pytest.raises(Cancelled):
        animate(request, [NamedDrawing(figure())], model, context)

    assert context.said[-1].step == 2


def test_a_subjects_layers_are_taken_by_the_views_in_their_names() -> None:
    pictures = [figure(), figure("left"), figure("back")]

    def chosen(*names: str) -> list[tuple[str | None, str]]:
        return [(one.view, one.name) for one in subject_drawings("hero", pictures, names)]

    assert chosen("front view", "left", "with a hat") == [("left", "left"), ("front", "front view")]
    assert chosen("holding a sword", "plain", "with lantern") == [(None, "plain")]
    with pytest.raises(InvalidImages, match="@hero was imported without pictures"):
        subject_drawings("hero", [], [])
