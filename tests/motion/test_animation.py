"""The embedded model draws key views and frames in the drawings' own colours."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modelsheet.motion.animation import Animator
from modelsheet.motion.character import NamedDrawing, read_character, with_views
from modelsheet.motion.figures.mannequin_archive import embedded_mannequins
from modelsheet.motion.network.embedded import load_motion_model
from modelsheet.motion.network.model import MotionModel
from tests.motion.figure_drawings import colours_of, figure, scaled

VIEWS = ("front", "left", "back", "right")


@pytest.fixture(scope="module")
def model() -> MotionModel:
    return load_motion_model(torch.device("cpu"))


def animator(model: MotionModel, *drawings: NamedDrawing) -> Animator:
    return Animator(model, embedded_mannequins(), read_character(drawings))


def overlap(image: np.ndarray, mannequin: np.ndarray) -> float:
    one, other = image[..., 3] > 0, mannequin[..., 3] > 0
    return float((one & other).sum() / (one | other).sum())


def test_own_drawings_stay_and_the_others_are_drawn(model: MotionModel) -> None:
    drawing = NamedDrawing(figure(), "front")

    keys = animator(model, drawing).key_views(VIEWS)

    assert [key.is_own for key in keys] == [True, False, False, False]
    assert keys[0].image.tobytes() == figure().tobytes()
    for key in keys[1:]:
        assert colours_of(key.image) <= colours_of(figure())
        standing = embedded_mannequins().figure("male").standing(key.view)
        assert overlap(key.picture, standing) > 0.7


def test_frames_follow_their_mannequins(model: MotionModel) -> None:
    one = animator(model, NamedDrawing(figure("left"), "left"))
    (key,) = one.key_views(["left"])

    frames = [np.asarray(frame) for frame in one.frames("walk", key)]

    truth = embedded_mannequins().figure("male", "walk").frames["walk", "left"]
    for index, frame in enumerate(frames):
        likeness = [overlap(frame, mannequin) for mannequin in truth]
        assert likeness[index] > 0.7
        assert likeness[index] >= max(likeness) - 0.05


def test_views_that_nobody_named_are_guessed(model: MotionModel) -> None:
    drawings = [NamedDrawing(figure()), NamedDrawing(figure("right")), NamedDrawing(figure("left"))]

    assert animator(model, *drawings).guess_views() == ["front", "right", "left"]


def test_small_drawings_come_back_at_their_size(model: MotionModel) -> None:
    small = scaled(figure().crop((16, 14, 48, 62)), 1 / 3)
    one = animator(model, NamedDrawing(small, "front"))
    one.character = with_views(one.character, ["front"])

    (key,) = one.key_views(["back"])

    assert key.image.size == (21, 21)
    assert colours_of(key.image) <= colours_of(small)
