"""Compose distractors of a true image: composites that keep the subject but change the asked
equipment, or keep the equipment but change the subject.

They are composed of tiles like those of the true images. Where a true image cannot be composed of
tiles, the other true images of its folder are its distractors.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from modelsheet.imaging.rgba import composite
from modelsheet_benchmarks.image_distance import Pixels
from modelsheet_benchmarks.subjects import BenchmarkSubject
from sprite_training.sprite32.compositing import BARE_SPECIES
from sprite_training.sprite32.tiles import LAYER_ORDER, Tile, TileSet

EACH = 50  # distractors that change the equipment, and as many that change the subject
_BENEATH = ("player/cloak", "terrain/floor")
_EQUIPMENT = ("player/hand1", "player/hand2", *_BENEATH)
_CLOTHES = ("legs", "body", "boots", "hair", "head")
_CLOTHES_ODDS = 0.5  # of each but the body's, which all subjects wear
_WHITE = (255, 255, 255)


@dataclass(frozen=True, eq=False)
class Distractors:
    """Wrong images on white, each (N, H, W, 3): `other_equipment` keeps the subject,
    `other_subjects` keep the asked equipment, `other_both` keep neither. `are_composed`: of tiles.
    """

    other_equipment: Pixels
    other_subjects: Pixels
    other_both: Pixels
    are_composed: bool

    @property
    def count(self) -> int:
        return len(self.other_equipment) + len(self.other_subjects) + len(self.other_both)


def distractors_for(
    subject: BenchmarkSubject,
    suffix: str,
    subjects: Sequence[BenchmarkSubject],
    tiles: TileSet | None,
) -> Distractors:
    """Return the distractors of one prompt's true images, the same every time. Without `tiles`
    none are composed.
    """
    plain = subject.plain
    asked = None
    if tiles is not None and plain is not None:
        asked = _asked_tile(plain, subject.truths[suffix], suffix, tiles)
    if tiles is None or plain is None or asked is None:
        return _given(subject, suffix, subjects)
    rng = random.Random(f"{subject.name} {suffix}")
    truths = _on_white(subject.truths[suffix])
    equipment = _on_white([plain, *_other_equipment(plain, asked, tiles, rng)])
    bodies = [each.plain for each in subjects if each is not subject and each.plain is not None]
    others = [with_equipment(body, asked) for body in bodies if body.size == plain.size]
    while len(others) < EACH:
        alike = len(others) < EACH // 2
        figure = _figure(tiles, rng, asked, subject.class_noun if alike else None)
        others.append(with_equipment(figure, asked))
    return Distractors(
        other_equipment=_without_equals(equipment, truths)[:EACH],
        other_subjects=_without_equals(_on_white(others), truths)[:EACH],
        other_both=_on_white([]),
        are_composed=True,
    )


def with_equipment(figure: Image.Image, tile: Tile) -> Image.Image:
    """Composite a figure with one more tile: cloaks and floors beneath it, the rest above."""
    layer = Image.fromarray(tile.pixels)
    below, above = (layer, figure) if tile.kind in _BENEATH else (figure, layer)
    return Image.alpha_composite(below, above)


def _asked_tile(
    plain: Image.Image, truths: Sequence[Image.Image], suffix: str, tiles: TileSet
) -> Tile | None:
    """Find the tile that turns the plain subject into one of the true images, to the pixel."""
    wanted = _on_white(truths)
    for kind in _EQUIPMENT:
        for tile in tiles.by_kind.get(kind, []):
            if tile.phrase == suffix and tile.pixels.shape[:2] == plain.size[::-1]:
                composed = _on_white([with_equipment(plain, tile)])
                if (composed == wanted).all((1, 2, 3)).any():
                    return tile
    return None


def _other_equipment(
    plain: Image.Image, asked: Tile, tiles: TileSet, rng: random.Random
) -> list[Image.Image]:
    """Compose the subject with other tiles: half of the asked kind where there are so many, then
    of all kinds.
    """
    of_kind = _differing(asked, tiles, [asked.kind])
    rng.shuffle(of_kind)
    nearest, rest = of_kind[: EACH // 2], of_kind[EACH // 2 :]
    rest += _differing(asked, tiles, [kind for kind in _EQUIPMENT if kind != asked.kind])
    rng.shuffle(rest)
    return [with_equipment(plain, tile) for tile in nearest + rest]


def _differing(asked: Tile, tiles: TileSet, kinds: Sequence[str]) -> list[Tile]:
    """List one tile a name, other than the asked; some floors have a dozen tiles."""
    named: dict[str, Tile] = {}
    for kind in kinds:
        for tile in tiles.by_kind.get(kind, []):
            if tile.phrase != asked.phrase:
                named.setdefault(tile.phrase, tile)
    return list(named.values())


def _figure(tiles: TileSet, rng: random.Random, asked: Tile, species: str | None) -> Image.Image:
    """Compose another subject: of the same species in other clothes, or of any species."""
    dressable = [tile for tile in tiles.part("base") if tile.phrase not in BARE_SPECIES]
    alike = [tile for tile in dressable if tile.phrase == species]
    parts = {"base": rng.choice(alike or dressable)}
    for place in _CLOTHES:
        choices = tiles.part(place)
        if choices and (place == "body" or rng.random() < _CLOTHES_ODDS):
            parts[place] = rng.choice(choices)
    stacked = Image.new("RGBA", parts["base"].pixels.shape[1::-1])
    for place in LAYER_ORDER:
        if place in parts:
            stacked = Image.alpha_composite(stacked, Image.fromarray(parts[place].pixels))
    return stacked


def _given(
    subject: BenchmarkSubject, suffix: str, subjects: Sequence[BenchmarkSubject]
) -> Distractors:
    """Take the folder's other true images: this subject's, those of the same prompt, the rest."""
    return Distractors(
        other_equipment=_on_white(_truths(subject, lambda each: each != suffix)),
        other_subjects=_on_white(
            [
                picture
                for other in subjects
                if other is not subject
                for picture in other.truths.get(suffix, other.references[:1])
            ]
        ),
        other_both=_on_white(
            [
                picture
                for other in subjects
                if other is not subject
                for picture in _truths(other, lambda each: each != suffix)
            ]
        ),
        are_composed=False,
    )


def _truths(subject: BenchmarkSubject, wanted: Callable[[str], bool]) -> list[Image.Image]:
    return [p for suffix, pictures in subject.truths.items() if wanted(suffix) for p in pictures]


def _without_equals(candidates: Pixels, truths: Pixels) -> Pixels:
    """Drop candidates that equal a true image: tiles of one colour may have two names."""
    same = (candidates[:, None] == truths[None]).all((2, 3, 4)).any(1)
    different: Pixels = candidates[~same]
    return different


def _on_white(pictures: Sequence[Image.Image]) -> Pixels:
    if not pictures:
        return np.empty((0, 0, 0, 3), np.uint8)
    return np.stack([np.asarray(composite(picture, _WHITE)) for picture in pictures])
