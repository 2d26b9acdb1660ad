"""Read archives of character parts and compose characters of them. No torch here.

An archive is a zip of `index.json` and `sheets/`, PNGs of 8-bit indices with frames of 64 × 64;
index 0 is clear. In the JSON are `defs` (design, type, variants, layers: z and a sheet's key for
each body), `sheets` (key to groups: file, variants, a palette of RGBA in hexadecimal for each
variant) and, where the rows are not those of `_UNIVERSAL_ACTIONS`, `actions` (name to first row,
frames, rows).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from modelsheet.errors import NotFound
from modelsheet.motion.figures.pictures import SIZE, VIEWS, Picture, blank

Recolour = Callable[[int, np.ndarray], np.ndarray]  # index of a part, palette (K, 4) -> palette

_UNIVERSAL_ACTIONS = {
    "cast": (0, 7, 4),
    "thrust": (4, 8, 4),
    "walk": (8, 9, 4),
    "slash": (12, 6, 4),
    "shoot": (16, 13, 4),
    "hurt": (20, 6, 1),
}
# Wounds, shadows, trims and the like: they are in the archives, but no character wears them.
_UNUSED_TYPES = frozenset(
    {
        "shadow",
        "ammo",
        "cape_trim",
        "jacket_collar",
        "jacket_trim",
        "jacket_pockets",
        "accessory",
        "visor",
        "wound_arm",
        "wound_brain",
        "wound_eye",
        "wound_mouth",
        "wound_ribs",
        "buckles",
        "wrinkes",
        "prosthesis_hand",
        "prosthesis_leg",
        "armlet",
        "eyebrows",
    }
)


class Action(NamedTuple):
    """Place of an action's frames in a sheet: a row for each view, or one."""

    first_row: int
    frames: int
    rows: int

    def row(self, view: str) -> int:
        return self.first_row + (VIEWS.index(view) if self.rows == len(VIEWS) else 0)


@dataclass(frozen=True)
class Part:
    """One design in one variant (its colour), for one body; `layers` are (z, key of a sheet)."""

    type: str
    design: str
    variant: str
    layers: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Character:
    """A body type and the parts on it, the body itself included."""

    body: str
    parts: tuple[Part, ...]


class PartLayer(NamedTuple):
    """A sheet to draw with a palette; `part` is the index of the character's part."""

    z: int
    part: int
    sheet: Sheet
    palette: np.ndarray  # (K, 4) uint8


class Sheet:
    """The frames of an indexed sheet, all cropped to the rectangle that any of them uses."""

    def __init__(self, indices: np.ndarray) -> None:
        rows, columns = (length // SIZE for length in indices.shape)
        frames = indices.reshape(rows, SIZE, columns, SIZE).swapaxes(1, 2)
        used = frames.any((0, 1))
        self.down, self.across = _span(used.any(1)), _span(used.any(0))
        self.frames = np.ascontiguousarray(frames[:, :, self.down, self.across])

    def has(self, row: int, frame: int) -> bool:
        """Tell if a frame has a pixel."""
        return row < len(self.frames) and bool(self.frames[row, frame].any())

    def draw(self, picture: Picture, row: int, frame: int, palette: np.ndarray) -> None:
        """Draw a frame over a picture."""
        if row < len(self.frames):
            _draw_over(picture[self.down, self.across], palette[self.frames[row, frame]])


class Split:
    """The parts that are withheld from training, read from a JSON file.

    `designs` lists whole designs; `variants` has lists for `hair` (and beards), `weapon` (and
    tools) and `shield`; everything else is `cloth`, by the first word of its variant.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise NotFound(f"There is no split at {path}; name it with --split.")
        content = json.loads(path.read_text("utf-8"))
        self._designs = frozenset(content["designs"])
        self._variants = {kind: frozenset(names) for kind, names in content["variants"].items()}

    def withholds(self, design: str, variant: str) -> bool:
        if design in self._designs:
            return True
        if design.startswith(("hair_", "beards_")):
            return variant in self._variants["hair"]
        if design.startswith(("weapon", "tool")):
            return variant in self._variants["weapon"]
        if design == "shield":
            return variant in self._variants["shield"]
        return variant.split("_")[0] in self._variants["cloth"]


class PartArchive:
    """An archive's parts by body and type, and the pictures of characters made of them.

    Without a `split` nothing is withheld. Raises NotFound when there is no such archive.
    """

    def __init__(self, path: Path, split: Split | None = None) -> None:
        if not path.is_file():
            raise NotFound(f"There is no archive of parts at {path}; name it with --archives.")
        with zipfile.ZipFile(path) as source:
            index = json.loads(source.read("index.json"))
            self._files = {n: source.read(n) for n in source.namelist() if n.endswith(".png")}
        self._groups: dict[str, list[dict[str, Any]]] = index["sheets"]
        self._sheets: dict[str, Sheet] = {}
        self._palettes: dict[tuple[str, str], np.ndarray] = {}
        self.is_universal = "actions" not in index
        actions = index.get("actions", _UNIVERSAL_ACTIONS)
        self.actions = {name: Action(*numbers) for name, numbers in actions.items()}
        self.parts: dict[str, dict[str, list[Part]]] = {}
        for entry in index["defs"]:
            if entry["type"] not in _UNUSED_TYPES:
                self._add(entry, split)

    def find(self, body: str, kind: str, design: str, variant: str | None = None) -> Part:
        """Find a part by name, of any variant when none is given. Raises NotFound."""
        for part in self.parts[body].get(kind, ()):
            if part.design == design and variant in (None, part.variant):
                return part
        raise NotFound(f"The archive has no {design} ({variant or 'any variant'}) for {body}.")

    def layers(self, character: Character, recolour: Recolour | None = None) -> list[PartLayer]:
        """List what is drawn for a character, bottom first."""
        layers = []
        for index, part in enumerate(character.parts):
            for z, key in part.layers:
                sheet, palette = self._sheet(key, part.variant)
                if recolour is not None:
                    palette = recolour(index, palette)
                layers.append(PartLayer(z, index, sheet, palette))
        return sorted(layers, key=lambda layer: layer.z)

    def compose(self, layers: Iterable[PartLayer], action: str, view: str, frame: int) -> Picture:
        """Draw one frame of a character's layers."""
        row, picture = self.actions[action].row(view), blank()
        for layer in layers:
            layer.sheet.draw(picture, row, frame, layer.palette)
        return picture

    def _add(self, entry: dict[str, Any], split: Split | None) -> None:
        design, kind = entry["design"], entry["type"]
        variants = [v for v in entry["variants"] if not (split and split.withholds(design, v))]
        bodies = sorted({body for layer in entry["layers"] for body in layer["bodies"]})
        for body in bodies:
            by_z = [(x["z"], x["bodies"][body]) for x in entry["layers"] if body in x["bodies"]]
            for variant in variants:
                drawn = tuple((z, key) for z, key in by_z if self._group(key, variant))
                if drawn:
                    kinds = self.parts.setdefault(body, {})
                    kinds.setdefault(kind, []).append(Part(kind, design, variant, drawn))

    def _group(self, key: str, variant: str) -> dict[str, Any] | None:
        """Find the group of a sheet's files that has the variant."""
        groups: Sequence[dict[str, Any]] = self._groups.get(key, ())
        return next((group for group in groups if variant in group["variants"]), None)

    def _sheet(self, key: str, variant: str) -> tuple[Sheet, np.ndarray]:
        group = self._group(key, variant)
        assert group is not None, "parts have no other layers"
        name = group["file"]
        if name not in self._sheets:
            with Image.open(io.BytesIO(self._files[f"sheets/{name}"]), formats=["PNG"]) as image:
                self._sheets[name] = Sheet(np.array(image))
        if (name, variant) not in self._palettes:
            content = bytes.fromhex(group["palette"][group["variants"].index(variant)])
            self._palettes[name, variant] = np.frombuffer(content, np.uint8).reshape(-1, 4)
        return self._sheets[name], self._palettes[name, variant]


def _span(used: np.ndarray) -> slice:
    """Find from where to where there is something; one pixel where there is nothing."""
    places = np.flatnonzero(used)
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 1)


def _draw_over(below: np.ndarray, above: np.ndarray) -> None:
    """Draw RGBA bytes over others in place, straight alpha."""
    alpha = above[..., 3]
    np.copyto(below, above, where=(alpha == 255)[..., None])
    through = (alpha > 0) & (alpha < 255)
    if not through.any():
        return
    top, bottom = (x[through].astype(np.float32) / 255 for x in (above, below))
    shown = bottom[:, 3:] * (1 - top[:, 3:])
    total = top[:, 3:] + shown
    colours = (top[:, :3] * top[:, 3:] + bottom[:, :3] * shown) / total
    below[through] = (np.concatenate([colours, total], axis=1) * 255 + 0.5).astype(np.uint8)
