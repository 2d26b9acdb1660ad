"""Measure the motion model on test characters: is a picture nearest to the truth, and how exact.

Abilities: "key" has the standing drawing of the wanted view, "front" that of the front alone,
"front+left" both. "unmoved" is the drawing itself, left as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modelsheet.errors import NotFound
from modelsheet.motion.figures.fitting import embedded_measurer
from modelsheet.motion.figures.mannequin import Warp
from modelsheet.motion.figures.mannequin_archive import STANDING, Figure
from modelsheet.motion.figures.pictures import VIEWS, Picture, channels_first, nearest_index
from modelsheet.motion.figures.registration import register
from modelsheet.motion.network.model import MotionModel
from sprite_training.motion.character_parts import Character, Part, PartLayer
from sprite_training.motion.characters import random_character
from sprite_training.motion.posed_archive import Pose, PosedArchive

GIVEN: Mapping[str, tuple[str, ...]] = {
    "key": (),  # the wanted view's own
    "front": ("front",),
    "front+left": ("front", "left"),
}
_POSES = (
    ("walk", "left"),
    ("walk", "right"),
    ("walk", "back"),
    ("walk", "front"),
    ("slash", "left"),
    ("cast", "back"),
)
_PERCENTAGES = ("view", "frame", "character", "exact")


@dataclass(frozen=True)
class Case:
    """One pose of a character, with all that a picture of it is compared to."""

    pose: Pose
    truth: Picture
    views: Sequence[Picture]  # the same frame from elsewhere
    frames: Sequence[Picture]  # others of the action
    doubles: Sequence[Picture]  # characters that differ in a few parts
    are_shown: Sequence[bool]  # which doubles' parts the standing front view shows

    def score(self, picture: Picture) -> dict[str, float]:
        return {
            "view": is_nearest(picture, self.truth, self.views),
            "frame": is_nearest(picture, self.truth, self.frames),
            "character": is_nearest(picture, self.truth, self.doubles),
            "shown": is_nearest(picture, self.truth, self._shown_doubles()),
            "exact": exact_share(picture, self.truth),
            "overlap": overlap(picture, self.truth),
        }

    def _shown_doubles(self) -> list[Picture]:
        """List the doubles that a front view can tell from the character."""
        return [one for one, shown in zip(self.doubles, self.are_shown, strict=True) if shown]


def is_nearest(picture: Picture, truth: Picture, others: Sequence[Picture]) -> bool:
    """Tell if no other picture is nearer than the truth; equal ones count as the truth."""
    distance = _premultiplied(np.stack([truth, *others])) - _premultiplied(picture)
    squares = (distance**2).sum(-1)
    return bool(squares[0] <= squares.min() + 1e-6)


def flicker(pictures: Sequence[Picture]) -> float:
    """Compute how much neighbouring frames of an animation differ, the last and first included."""
    frames = _premultiplied(np.stack([*pictures, pictures[0]]))
    return float(np.abs(np.diff(frames, axis=0)).mean())


def exact_share(picture: Picture, truth: Picture) -> float:
    """Compute the share of pixels that are equal, of those that either picture has."""
    seen = (picture[..., 3] > 0) | (truth[..., 3] > 0)
    return float((picture == truth).all(-1)[seen].mean()) if seen.any() else 1.0


def overlap(picture: Picture, truth: Picture) -> float:
    """Compute intersection over union of what is not clear."""
    a, b = picture[..., 3] > 0, truth[..., 3] > 0
    return float((a & b).sum() / max(1, (a | b).sum()))


def _unchanged(picture: Picture) -> Picture:
    return picture


def _premultiplied(pictures: np.ndarray) -> np.ndarray:
    """Convert (..., 64, 64, 4) bytes to (..., 16384) floats."""
    floats = pictures.astype(np.float32) / 255
    floats[..., :3] *= floats[..., 3:]
    return floats.reshape(*floats.shape[:-3], -1)


class TestSet:
    """Test characters with their cases, the same at every run.

    `characters` is a JSON list of body and parts (type, design, variant); `number` of them are
    taken, evenly. Without it they are random ones of all parts. Raises NotFound: no such file, or a
    part that the archive lacks.
    """

    __test__ = False  # for pytest

    def __init__(
        self, archive: Path, characters: Path | None, number: int = 32, doubles: int = 99
    ) -> None:
        self.archive = PosedArchive(archive)
        step = 1
        if characters is None:
            rng = np.random.default_rng(0)
            self.characters = [random_character(self.archive.parts, rng) for _ in range(number)]
        elif characters.is_file():
            entries = json.loads(characters.read_text("utf-8"))
            step = max(1, len(entries) // number)
            self.characters = [self._character(entry) for entry in entries[::step][:number]]
        else:
            raise NotFound(f"There are no characters at {characters}; name them with --characters.")
        self.cases = [
            self._cases(character, np.random.default_rng(i * step), doubles)
            for i, character in enumerate(self.characters)
        ]

    def standing(self, character: Character, view: str) -> Picture:
        layers = self.archive.parts.layers(character)
        return self.archive.draw(layers, self.archive.standing(view))

    def answers(
        self, model: MotionModel, number: int, ability: str, *, is_measured: bool = False
    ) -> list[Picture]:
        """Let the model draw a character's cases; `is_measured` as in `draw`."""
        character, poses = self.characters[number], [case.pose for case in self.cases[number]]
        if GIVEN[ability]:
            return self.draw(model, character, GIVEN[ability], poses, is_measured=is_measured)
        return [
            self.draw(model, character, (pose.view,), [pose], is_measured=is_measured)[0]
            for pose in poses
        ]

    def unmoved(self, number: int, ability: str) -> list[Picture]:
        """Answer a character's cases with the nearest drawing, as it is."""
        pictures = []
        for case in self.cases[number]:
            given = GIVEN[ability] or (case.pose.view,)
            indices = [VIEWS.index(view) for view in given]
            nearest = given[nearest_index(indices, VIEWS.index(case.pose.view))]
            pictures.append(self.standing(self.characters[number], nearest))
        return pictures

    def draw(
        self,
        model: MotionModel,
        character: Character,
        views: Sequence[str],
        poses: Sequence[Pose],
        *,
        is_measured: bool = False,
    ) -> list[Picture]:
        """Let the model draw poses, given the standing drawings of some views.

        The mannequins are the character's own, or fitted to what is measured on the first drawing.
        """
        body, archive = character.body, self.archive
        drawings = [self.standing(character, view) for view in views]
        fit: Callable[[Picture], Picture] = _unchanged
        if is_measured:
            body, fit = self._measure(drawings[0], views[0])
        mannequins = [fit(archive.mannequin(body, archive.standing(view))) for view in views]
        wanted = [fit(archive.mannequin(body, pose)) for pose in poses]
        pictures = model.draw(
            torch.from_numpy(channels_first(drawings)),
            torch.from_numpy(channels_first(mannequins)),
            torch.tensor([VIEWS.index(view) for view in views]),
            torch.from_numpy(channels_first(wanted)),
            torch.tensor([VIEWS.index(pose.view) for pose in poses]),
        )
        return list(pictures.permute(0, 2, 3, 1).numpy())

    def walk(self, character: Character, view: str) -> tuple[list[Pose], list[Picture]]:
        """List the poses of a walk in one view, with their truths."""
        frames = range(1, self.archive.parts.actions["walk"].frames)
        poses = [Pose("walk", view, frame) for frame in frames]
        layers = self.archive.parts.layers(character)
        return poses, [self.archive.draw(layers, pose) for pose in poses]

    def _measure(self, drawing: Picture, view: str) -> tuple[str, Warp]:
        """Measure a drawing as the product does: the nearest body, and how to warp it."""
        measured = embedded_measurer().measure(drawing[..., 3] > 127, view)
        standing = self.archive.standing(view)
        figures = {
            body: Figure(
                body,
                self.archive.proportions(body),
                {(STANDING, view): [self.archive.mannequin(body, standing)]},
            )
            for body in self.archive.bodies
            if body in measured.bodies
        }
        body, fitted = register(drawing, view, measured, figures)
        return body, Warp(figures[body].proportions, fitted)

    def _character(self, entry: dict[str, Any]) -> Character:
        body = entry["body"]
        return Character(
            body,
            tuple(
                self.archive.parts.find(body, part["type"], part["design"], part["variant"])
                for part in entry["parts"]
            ),
        )

    def _double(self, character: Character, rng: np.random.Generator) -> Character:
        """Replace one to four parts by others of their types."""
        parts: list[Part] = list(character.parts)
        all_parts = self.archive.parts.parts[character.body]
        choices = [[other for other in all_parts[p.type] if other != p] for p in parts]
        free = [i for i, others in enumerate(choices) if others]
        for i in rng.permutation(free)[: int(rng.integers(1, 5))]:
            parts[i] = choices[i][int(rng.integers(len(choices[i])))]
        return Character(character.body, tuple(parts))

    def _cases(self, character: Character, rng: np.random.Generator, doubles: int) -> list[Case]:
        possible = self.archive.actions(character)
        layers = self.archive.parts.layers(character)
        others = [self.archive.parts.layers(self._double(character, rng)) for _ in range(doubles)]
        front = self.archive.standing("front")
        drawn = self.archive.draw(layers, front)
        shown = [bool((self.archive.draw(one, front) != drawn).any()) for one in others]
        cases = []
        for action, view in _POSES:
            action = action if action in possible else self.archive.standing_action
            frame = int(rng.integers(1, self.archive.parts.actions[action].frames))
            cases.append(self._case(layers, others, shown, Pose(action, view, frame)))
        return cases

    def _case(
        self,
        layers: list[PartLayer],
        doubles: list[list[PartLayer]],
        shown: list[bool],
        pose: Pose,
    ) -> Case:
        draw, frames = self.archive.draw, self.archive.parts.actions[pose.action].frames
        return Case(
            pose,
            draw(layers, pose),
            [draw(layers, pose._replace(view=view)) for view in VIEWS if view != pose.view],
            [draw(layers, pose._replace(frame=k)) for k in range(frames) if k != pose.frame],
            [draw(double, pose) for double in doubles],
            shown,
        )


def evaluate(test: TestSet, model: MotionModel) -> list[str]:
    """Measure each ability of the model beside "unmoved"; returns the lines of a table.

    "turned" are the model's pictures of back and right alone, "facing" those of the front.
    """
    lines = []
    for ability in GIVEN:
        numbers = range(len(test.cases))
        drawn = _scores(test, [test.answers(model, number, ability) for number in numbers])
        unmoved = _scores(test, [test.unmoved(number, ability) for number in numbers])
        rows = {
            "model": drawn,
            "turned": [(view, score) for view, score in drawn if view in ("back", "right")],
            "facing": [(view, score) for view, score in drawn if view == "front"],
            "unmoved": unmoved,
        }
        lines += [f"{ability:11}{name:9}{_mean(scores)}" for name, scores in rows.items()]
    return lines


def _scores(
    test: TestSet, answers: Sequence[Sequence[Picture]]
) -> list[tuple[str, dict[str, float]]]:
    """Score answers, a list for each character; each score with its view."""
    return [
        (case.pose.view, case.score(picture))
        for cases, pictures in zip(test.cases, answers, strict=True)
        for case, picture in zip(cases, pictures, strict=True)
    ]


def _mean(scores: Sequence[tuple[str, dict[str, float]]]) -> str:
    means = {name: np.mean([score[name] for _, score in scores]) for name in scores[0][1]}
    shares = [f"{name} {100 * means[name]:5.1f} %" for name in _PERCENTAGES]
    return "  ".join([*shares, f"overlap {means['overlap']:.3f}"])
