"""Pictures whose right answer is known, judged among their rivals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from modelsheet.imaging.pixel_distance import foreground_distance, palette_distance
from modelsheet.imaging.rgba import composite
from modelsheet_benchmarks.distractors import EACH, dressed, rivals_of
from modelsheet_benchmarks.nearest_truth import judge
from modelsheet_benchmarks.subjects import Doll, prompt_for
from sprite_training.sprite32.tiles import Tile, TileSet
from tests.sprite_training.archive import write_archive

WHITE = (255, 255, 255)


def body(colour: str, width: int = 6) -> Image.Image:
    picture = Image.new("RGBA", (32, 32))
    ImageDraw.Draw(picture).rectangle((16 - width, 4, 16 + width, 30), fill=colour)
    return picture


def doll(name: str, figure: Image.Image, things: list[Tile]) -> Doll:
    truths = {thing.phrase: [dressed(figure, thing)] for thing in things}
    prompts = {suffix: prompt_for(suffix) for suffix in truths}
    return Doll(name, "imp", [figure], [""], prompts, truths)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> TileSet:
    return TileSet.load(write_archive(tmp_path_factory.mktemp("tiles") / "tiles.zip"))


@pytest.fixture(scope="module")
def dolls(tiles: TileSet) -> list[Doll]:
    kinds = ("player/hand1", "player/cloak", "terrain/floor")
    things = [tiles.by_kind[kind][0] for kind in kinds]
    return [doll("pink", body("#f09"), things), doll("teal", body("#0aa", 4), things)]


SUFFIXES = ["holding red staff", "red cloak", "on red floor"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rivals_are_composed_of_the_tiles_that_made_the_truth(
    tiles: TileSet, dolls: list[Doll], suffix: str
) -> None:
    rivals = rivals_of(dolls[0], suffix, dolls, tiles)

    assert rivals.are_composed
    # Four things of three colours each, less the asked one, and nothing at all.
    assert (len(rivals.things), len(rivals.subjects)) == (12, EACH)
    truth = np.asarray(composite(dolls[0].truths[suffix][0], WHITE))
    assert not (rivals.things == truth).all((1, 2, 3)).any()
    assert not (rivals.subjects == truth).all((1, 2, 3)).any()
    bare = np.asarray(composite(body("#f09"), WHITE))
    assert (rivals.things == bare).all((1, 2, 3)).any(), "nothing asked for is a rival too"


def test_rivals_are_the_same_every_time(tiles: TileSet, dolls: list[Doll]) -> None:
    one, again = (rivals_of(dolls[0], SUFFIXES[0], dolls, tiles) for _ in range(2))

    assert (one.things == again.things).all()
    assert (one.subjects == again.subjects).all()


@pytest.mark.parametrize("has_tiles", [True, False])
def test_a_picture_is_right_when_no_rival_is_nearer(
    tiles: TileSet, dolls: list[Doll], has_tiles: bool
) -> None:
    pink, teal = dolls
    rivals = rivals_of(pink, SUFFIXES[0], dolls, tiles if has_tiles else None)
    assert rivals.are_composed == has_tiles

    def verdict(painted: Image.Image) -> tuple[bool, bool, bool]:
        seen = judge(composite(painted, WHITE), pink.truths[SUFFIXES[0]], rivals)
        return seen.subject_right, seen.prompt_right, seen.both_right

    assert verdict(pink.truths[SUFFIXES[0]][0]) == (True, True, True)
    assert verdict(pink.truths[SUFFIXES[1]][0]) == (True, False, False)
    assert verdict(teal.truths[SUFFIXES[0]][0]) == (False, True, False)


def test_a_truth_that_no_tile_makes_is_judged_among_the_given_ones(
    tiles: TileSet, dolls: list[Doll]
) -> None:
    odd = doll("odd", body("#ff0"), [])
    pictures = {"holding red staff": [body("#ff0", 3)], "with halo": [body("#ff0", 9)]}
    odd = Doll("odd", "imp", odd.references, [""], {s: prompt_for(s) for s in pictures}, pictures)

    rivals = rivals_of(odd, "holding red staff", [odd, *dolls], tiles)

    assert not rivals.are_composed
    assert (len(rivals.things), len(rivals.subjects), len(rivals.strangers)) == (1, 2, 4)


def test_distances_are_of_the_foreground_and_of_the_colours(dolls: list[Doll]) -> None:
    (truth,) = dolls[0].truths[SUFFIXES[0]]
    shifted = Image.new("RGBA", truth.size)
    shifted.paste(truth, (2, -2))
    rivals = rivals_of(dolls[0], SUFFIXES[0], dolls, None)

    near = judge(composite(shifted, WHITE), [truth], rivals)
    far = judge(composite(body("#00f"), WHITE), [truth], rivals)

    assert near.distance < 0.02, "a shift by two pixels is forgiven"
    assert near.palette_distance < 0.01
    assert far.distance > 0.2
    assert far.palette_distance > 0.2


def test_the_foreground_alone_counts() -> None:
    truth = np.zeros((8, 8, 3), np.uint8)
    picture, foreground = truth.copy(), np.zeros((8, 8), bool)
    foreground[3:5, 3:5] = True
    picture[0] = 255

    assert foreground_distance(picture, truth, foreground) == 0.0
    picture[:] = 255
    assert foreground_distance(picture, truth, foreground) == 1.0


def test_palettes_are_compared_wherever_the_colours_are() -> None:
    one = np.array([[0, 0, 0], [255, 255, 255], [255, 255, 255]], np.uint8)

    assert palette_distance(one, one[::-1]) == 0.0
    assert palette_distance(one[:1], one[1:]) == pytest.approx(1.0)
    assert palette_distance(one, one[1:]) == pytest.approx(1 / 6)


def test_a_larger_picture_is_judged_at_the_truths_size(dolls: list[Doll]) -> None:
    truths = dolls[0].truths[SUFFIXES[0]]
    rivals = rivals_of(dolls[0], SUFFIXES[0], dolls, None)
    large = composite(truths[0], WHITE).resize((128, 128), Image.Resampling.NEAREST)

    assert judge(large, truths, rivals).both_right


def test_the_archive_is_not_needed(tmp_path: Path, dolls: list[Doll]) -> None:
    assert rivals_of(dolls[0], SUFFIXES[0], dolls, None).count == 2 + 1 + 2
