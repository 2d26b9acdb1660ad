"""Draw an archive's characters and their mannequins in poses. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from modelsheet.motion.figures.mannequin import Proportions, grey
from modelsheet.motion.figures.pictures import SIZE, Picture
from sprite_training.motion import part_tables
from sprite_training.motion.character_parts import Character, PartArchive, PartLayer, Split
from sprite_training.motion.characters import ActionFinder


class Pose(NamedTuple):
    """One frame of an action, in one view."""

    action: str
    view: str
    frame: int


class PosedArchive:
    """An archive with the mannequin of each body: the bare body with a plain head, in grey."""

    def __init__(self, path: Path, split: Split | None = None) -> None:
        self.parts = PartArchive(path, split)
        self.standing_action = "walk" if self.parts.is_universal else "idle"  # its frame 0
        self.bodies = sorted(self.parts.parts)
        self._finder = ActionFinder(self.parts)
        self._figures: dict[str, tuple[Character, Character]] = {}
        self._mannequins: dict[tuple[str, Pose], Picture] = {}
        self._proportions: dict[str, Proportions] = {}

    def standing(self, view: str) -> Pose:
        return Pose(self.standing_action, view, 0)

    def actions(self, character: Character) -> list[str]:
        """List the actions that the character can do: at least the one that it stands in."""
        return self._finder.actions(character) or [self.standing_action]

    def draw(self, layers: Sequence[PartLayer], pose: Pose) -> Picture:
        """Draw a character's layers in a pose."""
        return self.parts.compose(layers, pose.action, pose.view, pose.frame)

    def figure(self, body: str) -> Character:
        """Make the character that a mannequin is before it turns grey."""
        trunk, head = self._figure(body)
        return Character(body, trunk.parts + head.parts)

    def mannequin(self, body: str, pose: Pose) -> Picture:
        """Draw the mannequin of a body in a pose."""
        if (body, pose) not in self._mannequins:
            picture = self.draw(self.parts.layers(self.figure(body)), pose)
            self._mannequins[body, pose] = grey(picture)
        return self._mannequins[body, pose]

    def proportions(self, body: str) -> Proportions:
        """Measure the mannequin of a body."""
        if body not in self._proportions:
            pose = self.standing("front")
            trunk, head = (self.draw(self.parts.layers(x), pose) for x in self._figure(body))
            self._proportions[body] = _measure(head, trunk)
        return self._proportions[body]

    def _figure(self, body: str) -> tuple[Character, Character]:
        """Find the bare body and the plain head of a body type, each as a character."""
        if body not in self._figures:
            if self.parts.is_universal:
                trunk, head = "body", f"heads_human_{_plain_head(body)}"
            else:
                trunk = self.parts.parts[body]["body"][0].design
                head = part_tables.REVISED_HEADS[body]
            self._figures[body] = (
                Character(body, (self.parts.find(body, "body", trunk),)),
                Character(body, (self.parts.find(body, "head", head),)),
            )
        return self._figures[body]


def _plain_head(body: str) -> str:
    if body in part_tables.MALE_BODIES:
        return "male"
    return "child" if body == "child" else "female"


def _measure(head: Picture, body: Picture) -> Proportions:
    """Measure a standing front view, given as the head alone and the body alone."""
    top, neck, head_width = _extent(head)
    _, feet, body_width = _extent(body)
    return Proportions(top, neck, feet, SIZE / 2, head_width, body_width)


def _extent(picture: Picture) -> tuple[float, float, float]:
    """Measure the first row, the row after the last, and the width of what is not clear."""
    opaque = picture[..., 3] > 0
    rows, columns = np.flatnonzero(opaque.any(1)), np.flatnonzero(opaque.any(0))
    return float(rows[0]), float(rows[-1] + 1), float(columns[-1] + 1 - columns[0])
