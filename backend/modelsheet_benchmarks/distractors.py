"""Wrong pictures beside a true one: composites that keep the subject but change the asked thing,
or keep the thing but change the subject.

They are made of tiles like those the truths were made of. A truth that cannot be made of them is
judged among the other true pictures of its folder instead.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from modelsheet.imaging.pixel_distance import Pixels
from modelsheet.imaging.rgba import composite
from modelsheet_benchmarks.subjects import Doll
from sprite_training.sprite32.compositing import BARE_SPECIES
from sprite_training.sprite32.tiles import PAPER_DOLL, Tile, TileSet

EACH = 50  # rivals that change the thing, and as many that change the subject
_BENEATH = ("player/cloak", "terrain/floor")
_THINGS = ("player/hand1", "player/hand2", *_BENEATH)
_WORN = ("legs", "body", "boots", "hair", "head")
_WORN_ODDS = 0.5  # the body's clothes are always worn: all subjects wear some
_WHITE = (255, 255, 255)


@dataclass(frozen=True, eq=False)
class Rivals:
    """Wrong pictures on white, each (N, H, W, 3): `things` keep the subject, `subjects` keep the
    asked thing, `strangers` keep neither.
    """

    things: Pixels
    subjects: Pixels
    strangers: Pixels
    are_composed: bool

    @property
    def count(self) -> int:
        return len(self.things) + len(self.subjects) + len(self.strangers)


def rivals_of(doll: Doll, suffix: str, dolls: Sequence[Doll], tiles: TileSet | None) -> Rivals:
    """The same rivals every time for the truth of one prompt; `tiles` None composes nothing."""
    plain = doll.plain
    asked = None
    if tiles is not None and plain is not None:
        asked = _asked_thing(plain, doll.truths[suffix], suffix, tiles)
    if tiles is None or plain is None or asked is None:
        return _given(doll, suffix, dolls)
    chance = random.Random(f"{doll.name} {suffix}")
    truths = _on_white(doll.truths[suffix])
    things = _on_white([plain, *_other_things(plain, asked, tiles, chance)])
    bodies = [each.plain for each in dolls if each is not doll and each.plain is not None]
    others = [dressed(body, asked) for body in bodies if body.size == plain.size]
    while len(others) < EACH:
        alike = len(others) < EACH // 2
        figure = _figure(tiles, chance, asked, doll.class_noun if alike else None)
        others.append(dressed(figure, asked))
    return Rivals(
        things=_unlike(things, truths)[:EACH],
        subjects=_unlike(_on_white(others), truths)[:EACH],
        strangers=_on_white([]),
        are_composed=True,
    )


def dressed(figure: Image.Image, thing: Tile) -> Image.Image:
    """A figure with one thing more: cloaks and floors lie beneath it."""
    layer = Image.fromarray(thing.pixels)
    below, above = (layer, figure) if thing.kind in _BENEATH else (figure, layer)
    return Image.alpha_composite(below, above)


def _asked_thing(
    plain: Image.Image, truths: Sequence[Image.Image], suffix: str, tiles: TileSet
) -> Tile | None:
    """The tile that makes the plain subject into one of the truths, to the pixel."""
    shown = _on_white(truths)
    for kind in _THINGS:
        for tile in tiles.by_kind.get(kind, []):
            if tile.phrase == suffix and tile.pixels.shape[:2] == plain.size[::-1]:
                made = _on_white([dressed(plain, tile)])
                if (made == shown).all((1, 2, 3)).any():
                    return tile
    return None


def _other_things(
    plain: Image.Image, asked: Tile, tiles: TileSet, chance: random.Random
) -> list[Image.Image]:
    """Half of the asked kind where there are so many, then of all kinds."""
    of_kind = _differing(asked, tiles, [asked.kind])
    chance.shuffle(of_kind)
    nearest, rest = of_kind[: EACH // 2], of_kind[EACH // 2 :]
    rest += _differing(asked, tiles, [kind for kind in _THINGS if kind != asked.kind])
    chance.shuffle(rest)
    return [dressed(plain, tile) for tile in nearest + rest]


def _differing(asked: Tile, tiles: TileSet, kinds: Sequence[str]) -> list[Tile]:
    """One tile a name: some floors have a dozen."""
    named: dict[str, Tile] = {}
    for kind in kinds:
        for tile in tiles.by_kind.get(kind, []):
            if tile.phrase != asked.phrase:
                named.setdefault(tile.phrase, tile)
    return list(named.values())


def _figure(tiles: TileSet, chance: random.Random, asked: Tile, species: str | None) -> Image.Image:
    """Somebody else: of the same species in other clothes, or of any."""
    dressable = [tile for tile in tiles.part("base") if tile.phrase not in BARE_SPECIES]
    alike = [tile for tile in dressable if tile.phrase == species]
    parts = {"base": chance.choice(alike or dressable)}
    for place in _WORN:
        choices = tiles.part(place)
        if choices and (place == "body" or chance.random() < _WORN_ODDS):
            parts[place] = chance.choice(choices)
    stacked = Image.new("RGBA", parts["base"].pixels.shape[1::-1])
    for place in PAPER_DOLL:
        if place in parts:
            stacked = Image.alpha_composite(stacked, Image.fromarray(parts[place].pixels))
    return stacked


def _given(doll: Doll, suffix: str, dolls: Sequence[Doll]) -> Rivals:
    """The folder's other true pictures: this subject's, those of the same prompt, the rest."""
    return Rivals(
        things=_on_white(_truths(doll, lambda each: each != suffix)),
        subjects=_on_white(
            [
                picture
                for other in dolls
                if other is not doll
                for picture in other.truths.get(suffix, other.references[:1])
            ]
        ),
        strangers=_on_white(
            [
                picture
                for other in dolls
                if other is not doll
                for picture in _truths(other, lambda each: each != suffix)
            ]
        ),
        are_composed=False,
    )


def _truths(doll: Doll, wanted: Callable[[str], bool]) -> list[Image.Image]:
    return [p for suffix, pictures in doll.truths.items() if wanted(suffix) for p in pictures]


def _unlike(candidates: Pixels, truths: Pixels) -> Pixels:
    """Without those that look as a truth does: two things of one colour may have two names."""
    same = (candidates[:, None] == truths[None]).all((2, 3, 4)).any(1)
    unlike: Pixels = candidates[~same]
    return unlike


def _on_white(pictures: Sequence[Image.Image]) -> Pixels:
    if not pictures:
        return np.empty((0, 0, 0, 3), np.uint8)
    return np.stack([np.asarray(composite(picture, _WHITE)) for picture in pictures])
