"""Read the archive of captioned tiles that the base model is trained on. No torch here."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from modelsheet.errors import NotFound

SIZE = 32
# Bottom to top, as the tiles are drawn to be stacked.
LAYER_ORDER = (
    "cloak",
    "base",
    "legs",
    "body",
    "boots",
    "gloves",
    "hair",
    "beard",
    "head",
    "hand1",
    "hand2",
)


@dataclass(frozen=True)
class Tile:
    """One tile: `pixels` (32, 32, 4) uint8 straight RGBA; `phrase` names it in a caption."""

    kind: str
    phrase: str
    is_core: bool
    pixels: np.ndarray


@dataclass(frozen=True)
class TileSet:
    """All tiles by kind; `core` narrows every kind that has core tiles to those."""

    tiles: tuple[Tile, ...]

    @classmethod
    def load(cls, archive: Path) -> TileSet:
        """Read a zip with PNGs and captions.csv (path, kind, name, phrase, core).

        Raises NotFound when there is no such archive.
        """
        if not archive.is_file():
            raise NotFound(f"There is no archive of tiles at {archive}; name it with --tiles.")
        with zipfile.ZipFile(archive) as source:
            rows = list(csv.DictReader(io.StringIO(source.read("captions.csv").decode("utf-8"))))
            return cls(tuple(_read_tile(source, row) for row in rows if row["phrase"].strip()))

    def core(self) -> TileSet:
        """Keep the small learnable vocabulary: plain names, one picture a name (floors
        excepted).
        """
        return TileSet(tuple(tile for tile in self.tiles if tile.is_core))

    @cached_property
    def by_kind(self) -> dict[str, list[Tile]]:
        kinds: dict[str, list[Tile]] = defaultdict(list)
        for tile in self.tiles:
            kinds[tile.kind].append(tile)
        return dict(kinds)

    def part(self, name: str) -> list[Tile]:
        """List the tiles of one slot of a figure, such as "hand1"; empty when there are none."""
        return self.by_kind.get(f"player/{name}", [])

    def phrases(self, kind: str) -> list[str]:
        return sorted({tile.phrase for tile in self.by_kind.get(kind, [])})


def _read_tile(source: zipfile.ZipFile, row: dict[str, str]) -> Tile:
    with Image.open(io.BytesIO(source.read(row["path"])), formats=["PNG"]) as picture:
        pixels = np.asarray(picture.convert("RGBA"))
    return Tile(row["kind"], row["phrase"].strip(), row["core"] == "1", pixels)
