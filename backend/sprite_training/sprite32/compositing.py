"""Compose captioned images from tiles, so that no two figures repeat. No torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from modelsheet.diffusion.training.loss import RECOLOURING_GAINS
from sprite_training.sprite32.tiles import LAYER_ORDER, SIZE, Tile, TileSet

# Named in captions as "on a white background"; white is what most prompts will ask for.
BACKGROUNDS: Mapping[str, tuple[int, int, int]] = {
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "black": (0, 0, 0),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "magenta": (255, 0, 255),
    "cyan": (0, 255, 255),
}
# Share of figures with each part; the parts that artists ask for most are the most frequent.
PART_ODDS: Mapping[str, float] = {
    "cloak": 0.45,
    "legs": 0.15,
    "body": 0.85,
    "boots": 0.15,
    "gloves": 0.1,
    "hair": 0.3,
    "beard": 0.06,
    "head": 0.3,
    "hand1": 0.7,
    "hand2": 0.4,
}
FIGURE_SHARE = 0.8
FLAT_SHARE = 0.78
WHITE_SHARE = 0.4
BARE_SPECIES = ("cat", "octopode", "shadow")  # no part fits them


@dataclass(frozen=True)
class ComposedImage:
    """A composed figure and its background: RGBA pixels (32, 32, 4), the caption's first words, its
    details in any order, and the background's words.
    """

    pixels: np.ndarray
    subject: str
    details: tuple[str, ...]
    background: str
    background_pixels: np.ndarray  # (32, 32, 3) uint8

    @property
    def rgb(self) -> np.ndarray:
        """The figure on its background, (32, 32, 3) uint8."""
        return over(self.pixels, self.background_pixels)


def over(figure: np.ndarray, background_pixels: np.ndarray) -> np.ndarray:
    """Composite a straight RGBA picture over an RGB one; both uint8."""
    alpha = figure[..., 3:].astype(np.float32) / 255
    mixed = figure[..., :3] * alpha + background_pixels[..., :3] * (1 - alpha)
    return (mixed + 0.5).astype(np.uint8)


def stack(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Alpha-composite straight RGBA tiles, bottom first."""
    result = parts[0].astype(np.float32) / 255
    for part in parts[1:]:
        above = part.astype(np.float32) / 255
        alpha, below = above[..., 3:], result[..., 3:] * (1 - above[..., 3:])
        total = alpha + below
        colour = (above[..., :3] * alpha + result[..., :3] * below) / np.maximum(total, 1e-6)
        result = np.concatenate([colour, total], axis=-1)
    return (result * 255 + 0.5).astype(np.uint8)


def flat(colour: tuple[int, int, int]) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint8), (SIZE, SIZE, 3))


def figure(parts: Mapping[str, Tile]) -> np.ndarray:
    """Stack a figure's parts; `parts` maps slot to tile and must have a "base"."""
    return stack([parts[slot].pixels for slot in LAYER_ORDER if slot in parts])


class Composer:
    """Compose random images from a tile set: figures and, for the rest of `figure_share`,
    creatures, items or terrain. `recoloured_share` of all parts are recoloured.
    """

    def __init__(
        self,
        tiles: TileSet,
        rng: np.random.Generator,
        figure_share: float = FIGURE_SHARE,
        recoloured_share: float = 0.0,
    ) -> None:
        self.tiles = tiles
        self.rng = rng
        self.figure_share, self.recoloured_share = figure_share, recoloured_share
        self.floors = tiles.by_kind.get("terrain/floor", [])
        self.whole = [t for t in tiles.tiles if not t.kind.startswith(("player/", "terrain/floor"))]

    def compose(self) -> ComposedImage:
        if not self.whole or self.rng.random() < self.figure_share:
            return self.random_figure()
        tile = self._choose(self.whole)
        return self.on_background(tile.pixels, tile.phrase, ())

    def random_parts(self) -> dict[str, Tile]:
        parts = {"base": self._choose(self.tiles.part("base"))}
        if parts["base"].phrase in BARE_SPECIES:
            return parts
        for slot, odds in PART_ODDS.items():
            choices = self.tiles.part(slot)
            if choices and self.rng.random() < odds:
                parts[slot] = self._choose(choices)
        return parts

    def random_figure(self) -> ComposedImage:
        parts = self.random_parts()
        details = [tile.phrase for slot, tile in parts.items() if slot != "base"]
        self.rng.shuffle(details)
        if self.recoloured_share:
            parts = {slot: self.recoloured(tile) for slot, tile in parts.items()}
        return self.on_background(figure(parts), parts["base"].phrase, tuple(details))

    def recoloured(self, tile: Tile) -> Tile:
        """Recolour a share of the parts: permute the channels and scale each."""
        if self.rng.random() >= self.recoloured_share:
            return tile
        gains = self.rng.uniform(*RECOLOURING_GAINS, size=3)
        colours = tile.pixels[..., self.rng.permutation(3)] * gains
        pixels = np.concatenate([colours.clip(0, 255), tile.pixels[..., 3:]], axis=-1)
        return replace(tile, pixels=pixels.astype(np.uint8))

    def on_background(
        self, pixels: np.ndarray, subject: str, details: tuple[str, ...]
    ) -> ComposedImage:
        """Composite a cut-out on a random flat colour or floor."""
        if self.floors and self.rng.random() >= FLAT_SHARE:
            floor = self._choose(self.floors)
            return ComposedImage(pixels, subject, details, floor.phrase, floor.pixels[..., :3])
        name = self._colour_name()
        words = f"on a {name} background"
        return ComposedImage(pixels, subject, details, words, flat(BACKGROUNDS[name]))

    def _colour_name(self) -> str:
        names = list(BACKGROUNDS)
        return (
            "white"
            if self.rng.random() < WHITE_SHARE
            else names[int(self.rng.integers(len(names)))]
        )

    def _choose(self, tiles: Sequence[Tile]) -> Tile:
        return tiles[int(self.rng.integers(len(tiles)))]


class Mixture:
    """Compose by the first of two composers with probability `first_share`, else by the second."""

    def __init__(self, first: Composer, second: Composer, first_share: float) -> None:
        self.first, self.second, self.first_share = first, second, first_share
        self.rng = first.rng

    def compose(self) -> ComposedImage:
        composer = self.first if self.rng.random() < self.first_share else self.second
        return composer.compose()


def caption(subject: str, details: Sequence[str], background: str, rng: np.random.Generator) -> str:
    """Word an image's caption: details in random order, a fifth with some left out, a tenth empty.

    Guidance needs the empty ones; the shortened ones make short prompts work.
    """
    chance = rng.random()
    if chance < 0.1:
        return ""
    kept = [details[i] for i in rng.permutation(len(details))]
    if chance < 0.3:
        kept = [words for words in kept if rng.random() < 0.5]
    ending = [background] if rng.random() < 0.92 else []
    return ", ".join([subject, *kept, *ending])
