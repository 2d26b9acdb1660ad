"""Images with a known right answer, compared with it and with its distractors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from modelsheet.imaging.rgba import composite
from modelsheet_benchmarks.fidelity.distractors import EACH, distractors_for, with_equipment
from modelsheet_benchmarks.fidelity.nearest_truth import compare_with_truth
from modelsheet_benchmarks.image_distance import foreground_distance, palette_distance
from modelsheet_benchmarks.subjects import BenchmarkSubject, prompt_for
from sprite_training.sprite32.tiles import Tile, TileSet
from tests.sprite_training.archive import write_archive

WHITE = (255, 255, 255)


def body(colour: str, width: int = 6) -> Image.Image:
    picture = Image.new("RGBA", (32, 32))
    ImageDraw.Draw(picture).rectangle((16 - width, 4, 16 + width, 30), fill=colour)
    return picture


def subject(name: str, figure: Image.Image, things: list[Tile]) -> BenchmarkSubject:
    truths = {thing.phrase: [with_equipment(figure, thing)] for thing in things}
    prompts = {suffix: prompt_for(suffix) for suffix in truths}
    return BenchmarkSubject(name, "imp", [figure], [""], prompts, truths)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> TileSet:
    return TileSet.load(write_archive(tmp_path_factory.mktemp("tiles") / "tiles.zip"))


@pytest.fixture(scope="module")
def subjects(tiles: TileSet) -> list[BenchmarkSubject]:
    kinds = ("player/hand1", "player/cloak", "terrain/floor")
    things = [tiles.by_kind[kind][0] for kind in kinds]
    return [subject("pink", body("#f09"), things), subject("teal", body("#0aa", 4), things)]


SUFFIXES = ["holding red staff", "red cloak", "on red floor"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_distractors_are_composed_of_the_tiles_that_made_the_truth(
    tiles: TileSet, subjects: list[BenchmarkSubject], suffix: str
) -> None:
    distractors = distractors_for(subjects[0], suffix, subjects, tiles)

    assert distractors.are_composed
    # Four things of three colours each, less the asked one, and nothing at all.
    assert (len(distractors.other_equipment), len(distractors.other_subjects)) == (12, EACH)
    truth = np.asarray(composite(subjects[0].truths[suffix][0], WHITE))
    assert not (distractors.other_equipment == truth).all((1, 2, 3)).any()
    assert not (distractors.other_subjects == truth).all((1, 2, 3)).any()
    bare = np.asarray(composite(body("#f09"), WHITE))
    assert (distractors.other_equipment == bare).all((1, 2, 3)).any(), (
        "nothing asked for is a distractor too"
    )


def test_distractors_are_the_same_every_time(
    tiles: TileSet, subjects: list[BenchmarkSubject]
) -> None:
    one, again = (distractors_for(subjects[0], SUFFIXES[0], subjects, tiles) for _ in range(2))

    assert (one.other_equipment == again.other_equipment).all()
    assert (one.other_subjects == again.other_subjects).all()


@pytest.mark.parametrize("has_tiles", [True, False])
def test_a_picture_is_right_when_no_distractor_is_nearer(
    tiles: TileSet, subjects: list[BenchmarkSubject], has_tiles: bool
) -> None:
    pink, teal = subjects
    distractors = distractors_for(pink, SUFFIXES[0], subjects, tiles if has_tiles else None)
    assert distractors.are_composed == has_tiles

    def verdict(generated: Image.Image) -> tuple[bool, bool, bool]:
        seen = compare_with_truth(
            composite(generated, WHITE), pink.truths[SUFFIXES[0]], distractors
        )
        return seen.subject_right, seen.prompt_right, seen.both_right

    assert verdict(pink.truths[SUFFIXES[0]][0]) == (True, True, True)
    assert verdict(pink.truths[SUFFIXES[1]][0]) == (True, False, False)
    assert verdict(teal.truths[SUFFIXES[0]][0]) == (False, True, False)


def test_a_truth_that_no_tile_makes_is_compared_with_the_given_ones(
    tiles: TileSet, subjects: list[BenchmarkSubject]
) -> None:
    odd = subject("odd", body("#ff0"), [])
    pictures = {"holding red staff": [body("#ff0", 3)], "with halo": [body("#ff0", 9)]}
    odd = BenchmarkSubject(
        "odd", "imp", odd.references, [""], {s: prompt_for(s) for s in pictures}, pictures
    )

    distractors = distractors_for(odd, "holding red staff", [odd, *subjects], tiles)

    assert not distractors.are_composed
    assert (
        len(distractors.other_equipment),
        len(distractors.other_subjects),
        len(distractors.other_both),
    ) == (
        1,
        2,
        4,
    )


def test_distances_are_of_the_foreground_and_of_the_colours(
    subjects: list[BenchmarkSubject],
) -> None:
    (truth,) = subjects[0].truths[SUFFIXES[0]]
    shifted = Image.new("RGBA", truth.size)
    shifted.paste(truth, (2, -2))
    distractors = distractors_for(subjects[0], SUFFIXES[0], subjects, None)

    near = compare_with_truth(composite(shifted, WHITE), [truth], distractors)
    far = compare_with_truth(composite(body("#00f"), WHITE), [truth], distractors)

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


def test_a_larger_picture_is_compared_at_the_truths_size(subjects: list[BenchmarkSubject]) -> None:
    truths = subjects[0].truths[SUFFIXES[0]]
    distractors = distractors_for(subjects[0], SUFFIXES[0], subjects, None)
    large = composite(truths[0], WHITE).resize((128, 128), Image.Resampling.NEAREST)

    assert compare_with_truth(large, truths, distractors).both_right


def test_the_archive_is_not_needed(tmp_path: Path, subjects: list[BenchmarkSubject]) -> None:
    assert distractors_for(subjects[0], SUFFIXES[0], subjects, None).count == 2 + 1 + 2
