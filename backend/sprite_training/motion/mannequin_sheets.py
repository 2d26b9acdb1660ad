"""Draw the product's mannequins from the archives: an indexed PNG a figure, and a table in JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from modelsheet.motion.figures.mannequin_archive import STANDING, TABLE_NAME
from modelsheet.motion.figures.pictures import SIZE, VIEWS, Picture
from sprite_training.motion.characters import ONE_VIEW
from sprite_training.motion.posed_archive import Pose, PosedArchive

_SETS = ("universal", "revised")
# Figures of each body, the best first: an action is done by the first that can.
_BODIES = {
    "female": ("universal-female", "revised-female"),
    "male": ("universal-male", "revised-male"),
    "child": ("universal-child", "universal-female", "revised-female"),
}


class _Offered(NamedTuple):
    """An action of the product: which frames of which action of a set, each of `frame_ms`."""

    name: str
    title: str
    set: str
    source: str
    frames: Sequence[int]
    frame_ms: int
    loops: bool = False


# Those that most games need first. Frame 0 of the universal set's walk stands still.
_ACTIONS = (
    _Offered("stand", "Stand", "revised", "idle", (0, 1, 2, 1), 250, True),
    _Offered("walk", "Walk", "universal", "walk", range(1, 9), 100, True),
    _Offered("run", "Run", "revised", "run", range(8), 80, True),
    _Offered("slash", "Slash", "universal", "slash", range(6), 80),
    _Offered("thrust", "Thrust", "universal", "thrust", range(8), 80),
    _Offered("shoot", "Shoot a bow", "universal", "shoot", range(13), 80),
    _Offered("cast", "Cast a spell", "universal", "cast", range(7), 100),
    _Offered("jump", "Jump", "revised", "jump", range(6), 100),
    _Offered("guard", "Guard", "revised", "guard", range(2), 300, True),
    _Offered("hurt", "Fall", "universal", "hurt", range(6), 120),
    _Offered("climb", "Climb", "revised", "climb", range(6), 120, True),
    _Offered("sit", "Sit on a chair", "revised", "sit", (2,), 500, True),
    _Offered("sit-on-ground", "Sit on the ground", "revised", "sit", (0,), 500, True),
)


def write_mannequins(archives: Sequence[Path], folder: Path) -> list[Path]:
    """Write the sheets and the table into a folder; returns their paths.

    A sheet has a row of frames for each action and view, those of the standing figure first.
    """
    posed = [PosedArchive(path) for path in archives]
    by_set = {_SETS[0] if one.parts.is_universal else _SETS[1]: one for one in posed}
    figures, paths = {}, []
    for name in dict.fromkeys(figure for figures in _BODIES.values() for figure in figures):
        set_name, _, body = name.partition("-")
        rows, table = _draw_rows(by_set[set_name], body, set_name)
        proportions = vars(by_set[set_name].proportions(body))
        figures[name] = {"proportions": proportions, "rows": table}
        paths.append(folder / f"{name}.png")
        _save_indexed(rows, paths[-1])
    actions = [
        {"name": a.name, "title": a.title, "frame_ms": a.frame_ms, "loops": a.loops}
        for a in _ACTIONS
    ]
    content = {"actions": actions, "bodies": _BODIES, "figures": figures}
    paths.append(folder / TABLE_NAME)
    paths[-1].write_text(json.dumps(content) + "\n", "utf-8")
    return paths


def _draw_rows(
    archive: PosedArchive, body: str, set_name: str
) -> tuple[list[list[Picture]], list[list[Any]]]:
    """Draw a figure's frames; the table names action and view of each row, and its frames."""
    rows, table = [], []
    for view in VIEWS:
        rows.append([archive.mannequin(body, archive.standing(view))])
        table.append([STANDING, view, [0]])
    able = archive.actions(archive.figure(body))
    for action in _ACTIONS:
        if action.set != set_name or action.source not in able:
            continue
        views = [ONE_VIEW[action.source]] if action.source in ONE_VIEW else VIEWS
        numbers = sorted(set(action.frames))
        for view in views:
            poses = [Pose(action.source, view, number) for number in numbers]
            rows.append([archive.mannequin(body, pose) for pose in poses])
            table.append([action.name, view, [numbers.index(n) for n in action.frames]])
    return rows, table


def _save_indexed(rows: Sequence[Sequence[Picture]], path: Path) -> None:
    """Save rows of grey frames as an indexed PNG; index 0 is clear."""
    width = max(map(len, rows)) * SIZE
    sheet = np.zeros((len(rows) * SIZE, width, 4), np.uint8)
    for number, row in enumerate(rows):
        sheet[number * SIZE : (number + 1) * SIZE, : len(row) * SIZE] = np.concatenate(row, axis=1)
    greys = np.unique(sheet[sheet[..., 3] > 0][:, 0])
    indices = np.where(sheet[..., 3] > 0, np.searchsorted(greys, sheet[..., 0]) + 1, 0)
    image = Image.fromarray(indices.astype(np.uint8), "P")
    image.putpalette([0, 0, 0, *np.repeat(greys, 3).tolist()])
    image.save(path, transparency=0, optimize=True)
