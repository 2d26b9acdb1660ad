"""Read the embedded mannequins: grey figures of a few bodies that do the actions."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modelsheet.api.animate import Action, ActionList, ViewName
from modelsheet.errors import NotFound
from modelsheet.imaging.rgba import read_image
from modelsheet.motion.figures.mannequin import Proportions
from modelsheet.motion.figures.pictures import SIZE, Picture

FOLDER = Path(__file__).parents[1] / "weights"
TABLE_NAME = "mannequins.json"
STANDING = "standing"  # the pose of a key view; no action
_ORDER: tuple[ViewName, ...] = ("front", "left", "back", "right")


@dataclass(frozen=True)
class Figure:
    """A mannequin: its proportions, and its frames by (action, view)."""

    name: str
    proportions: Proportions
    frames: Mapping[tuple[str, str], Sequence[Picture]]

    def standing(self, view: str) -> Picture:
        return self.frames[STANDING, view][0]


class MannequinArchive:
    """The mannequins of all bodies, with the actions that they can do."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._table = json.loads((folder / TABLE_NAME).read_text("utf-8"))
        self.bodies: dict[str, list[Figure]] = {}
        figures = {
            name: _read_figure(name, entry, folder)
            for name, entry in self._table["figures"].items()
        }
        for body, names in self._table["bodies"].items():
            self.bodies[body] = [figures[name] for name in names]

    def actions(self) -> ActionList:
        """List the actions and the bodies, for the API."""
        actions = [self._action(entry) for entry in self._table["actions"]]
        return ActionList(actions=actions, bodies=list(self.bodies))

    def action(self, name: str) -> Action:
        """Find an action. Raises NotFound, which lists the known ones."""
        for entry in self._table["actions"]:
            if entry["name"] == name:
                return self._action(entry)
        known = ", ".join(entry["name"] for entry in self._table["actions"])
        raise NotFound(f"There is no action “{name}”. Known are: {known}.")

    def figure(self, body: str, action: str = STANDING) -> Figure:
        """Find the figure of a body that does an action. Raises NotFound: no such body."""
        if body not in self.bodies:
            known = ", ".join(self.bodies)
            raise NotFound(f"There is no body “{body}”. Known are: {known}.")
        return next(
            figure
            for figure in self.bodies[body]
            if any(name == action for name, _ in figure.frames)
        )

    def _action(self, entry: Mapping[str, Any]) -> Action:
        name = entry["name"]
        figures = [figure for figures in self.bodies.values() for figure in figures]
        frames = next(f.frames for f in figures if any(action == name for action, _ in f.frames))
        views = [view for view in _ORDER if (name, view) in frames]
        return Action(
            name=name,
            title=entry["title"],
            views=views,
            frames=len(frames[name, views[0]]),
            frame_ms=entry["frame_ms"],
            loops=entry["loops"],
        )


@functools.cache
def embedded_mannequins() -> MannequinArchive:
    """Return the archive inside this package; it is read once."""
    return MannequinArchive()


def _read_figure(name: str, entry: Mapping[str, Any], folder: Path) -> Figure:
    sheet = np.array(read_image(folder / f"{name}.png"))
    sheet[sheet[..., 3] == 0] = 0
    frames = {}
    for row, (action, view, numbers) in enumerate(entry["rows"]):
        strip = sheet[row * SIZE : (row + 1) * SIZE]
        frames[action, view] = [strip[:, n * SIZE : (n + 1) * SIZE] for n in numbers]
    return Figure(name, Proportions(**entry["proportions"]), frames)
