"""The embedded mannequins: every action of every body, on the ground and in grey."""

from __future__ import annotations

import numpy as np
import pytest

from modelsheet.errors import NotFound
from modelsheet.motion.figures.mannequin_archive import embedded_mannequins

ARCHIVE = embedded_mannequins()
ACTIONS = ARCHIVE.actions().actions


def test_what_most_games_need_comes_first() -> None:
    assert [action.name for action in ACTIONS[:4]] == ["stand", "walk", "run", "slash"]


@pytest.mark.parametrize("body", ARCHIVE.actions().bodies)
def test_every_body_does_every_action_in_grey(body: str) -> None:
    for action in ACTIONS:
        figure = ARCHIVE.figure(body, action.name)
        for view in action.views:
            frames = figure.frames[action.name, view]
            assert len(frames) == action.frames
            for frame in frames:
                seen = frame[frame[..., 3] > 0]
                assert len(seen) > 300
                assert (seen[:, 0] == seen[:, 1]).all()
                assert (seen[:, 0] == seen[:, 2]).all()


def test_a_walk_moves_both_legs() -> None:
    frames = ARCHIVE.figure("female", "walk").frames["walk", "left"]

    assert len({frame[50:].tobytes() for frame in frames}) == 8


def test_views_differ() -> None:
    figure = ARCHIVE.figure("male")

    pictures = [figure.standing(view) for view in ("front", "left", "back", "right")]

    assert len({picture.tobytes() for picture in pictures}) == 4
    lit = [np.flatnonzero(picture[..., 3].any(0)).mean() for picture in pictures]
    assert lit == pytest.approx([31.5] * 4, abs=2)


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(NotFound, match=r"no action “moonwalk”. Known are: stand, walk, run"):
        ARCHIVE.action("moonwalk")
    with pytest.raises(NotFound, match=r"no body “cat”. Known are: female, male, child"):
        ARCHIVE.figure("cat")
