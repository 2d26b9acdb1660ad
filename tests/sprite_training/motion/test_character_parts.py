"""The loader of character parts: z order, palettes, what is withheld, what is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelsheet.errors import NotFound
from sprite_training.motion.character_parts import Character, PartArchive, Split
from sprite_training.motion.characters import ActionFinder, random_character
from sprite_training.motion.posed_archive import PosedArchive
from tests.sprite_training.motion.part_archive import CLOTHS, GLASS, SKINS


def colour(code: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(code))


def dressed(archive: PartArchive, kinds: tuple[tuple[str, str], ...]) -> Character:
    parts = archive.parts["male"]
    return Character(
        "male",
        tuple(
            next(part for part in parts[kind] if part.variant == variant) for kind, variant in kinds
        ),
    )


def test_parts_are_drawn_in_order_of_z_with_their_palettes(revised: Path) -> None:
    archive = PartArchive(revised)
    character = dressed(archive, (("clothes", "red"), ("head", "brown"), ("body", "tan")))

    picture = archive.compose(archive.layers(character), "idle", "front", 0)

    assert tuple(picture[40, 32]) == colour(CLOTHS["red"]), "the shirt is over the body"
    assert tuple(picture[55, 32]) == colour(SKINS["tan"])
    assert tuple(picture[20, 32]) == colour(SKINS["brown"])
    assert tuple(picture[0, 0]) == (0, 0, 0, 0)


def test_a_frame_is_that_of_the_action_and_the_view(revised: Path) -> None:
    archive = PartArchive(revised)
    layers = archive.layers(dressed(archive, (("body", "tan"),)))

    standing = archive.compose(layers, "walk", "left", 0)
    moved = archive.compose(layers, "walk", "left", 3)

    np.testing.assert_array_equal(np.roll(standing, 3, axis=1), moved)


def test_half_clear_pixels_are_blended(revised: Path) -> None:
    archive = PartArchive(revised)
    character = dressed(archive, (("body", "tan"), ("shield", "blue")))

    picture = archive.compose(archive.layers(character), "idle", "front", 0)

    below, above = (np.array(colour(code)) for code in (SKINS["tan"], GLASS["blue"]))
    share = above[3] / 255
    expected = above[:3] * share + below[:3] * (1 - share)
    np.testing.assert_allclose(picture[45, 36, :3], expected, atol=0.6)
    assert picture[45, 36, 3] == 255
    assert tuple(picture[45, 41]) == colour(GLASS["blue"]), "nothing is below it there"


def test_a_recolouring_replaces_the_palette_of_its_part(revised: Path) -> None:
    archive = PartArchive(revised)
    character = dressed(archive, (("body", "tan"), ("head", "tan")))

    def redden_head(part: int, palette: np.ndarray) -> np.ndarray:
        changed = palette.copy()
        changed[2] = (255, 0, 0, 255)
        return changed if part else palette

    picture = archive.compose(archive.layers(character, redden_head), "idle", "front", 0)

    assert tuple(picture[20, 32]) == (255, 0, 0, 255)
    assert tuple(picture[55, 32]) == colour(SKINS["tan"])


@pytest.mark.parametrize(
    ("design", "variant", "is_withheld"),
    [
        ("rev_cape", "red", True),
        ("rev_shirt", "teal", True),
        ("rev_shirt", "teal_dark", True),
        ("rev_shirt", "violet", False),
        ("hair_long", "violet", True),
        ("beards_long", "teal", False),
        ("weapon_long", "scythe", True),
        ("tool_hoe", "teal", False),
        ("shield", "oak", True),
    ],
)
def test_the_split_withholds_designs_and_variants(
    split: Path, design: str, variant: str, is_withheld: bool
) -> None:
    assert Split(split).withholds(design, variant) is is_withheld


def test_an_archive_with_a_split_lacks_what_is_withheld(revised: Path, split: Path) -> None:
    def variants(archive: PartArchive) -> set[str]:
        return {part.variant for part in archive.parts["male"]["clothes"]}

    assert variants(PartArchive(revised)) == {"red", "teal"}
    assert variants(PartArchive(revised, Split(split))) == {"red"}


def test_no_character_wears_shadows(revised: Path) -> None:
    assert "shadow" not in PartArchive(revised).parts["male"]


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no archive of parts at .*none.zip"):
        PartArchive(tmp_path / "none.zip")


def test_random_characters_have_body_and_head_of_one_skin(revised: Path, universal: Path) -> None:
    for path in (revised, universal):
        archive, rng = PartArchive(path), np.random.default_rng(0)
        for _ in range(20):
            body, head, *worn = random_character(archive, rng).parts
            assert (body.type, head.type) == ("body", "head")
            assert body.variant == head.variant
            assert {part.type for part in worn} <= {"clothes", "shield"}


def test_only_actions_that_were_drawn_can_be_done(universal: Path) -> None:
    archive = PartArchive(universal)
    character = dressed(archive, (("body", "tan"), ("clothes", "red")))

    assert ActionFinder(archive).actions(character) == ["walk", "slash"]


def test_a_mannequin_is_grey_and_has_the_figures_proportions(universal: Path) -> None:
    archive = PosedArchive(universal)

    picture = archive.mannequin("male", archive.standing("front"))
    proportions = archive.proportions("male")

    assert (picture[..., :3] == picture[..., :1]).all()
    assert (picture[..., 3] > 0).sum() == 18 * 16 + 28 * 12
    assert (proportions.top, proportions.neck, proportions.feet) == (14, 32, 60)
    assert (proportions.head, proportions.body) == (16, 12)
