"""The DreamBooth data set's layout, from a list written as its authors wrote theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelsheet.errors import InvalidRequest
from modelsheet_benchmarks.fidelity.dreambooth_dataset import LIST, read_dreambooth
from tests.diffusion.training.photographs import write_photographs
from tests.paths import SHARED_DATA

REAL = SHARED_DATA / "dreambooth"


def test_subjects_get_the_prompts_of_their_kind(tmp_path: Path) -> None:
    write_photographs(tmp_path)

    can, cat = read_dreambooth(tmp_path)

    assert (can.name, can.class_noun, len(can.references)) == ("soda_can", "can", 3)
    assert can.prompts == {"on the beach": "a {} on the beach", "red": "a red {}"}
    assert cat.prompts == {"on the beach": "a {} on the beach", "in a hat": "a {} in a hat"}
    assert (cat.truths, cat.plain) == ({}, None)
    assert cat.captions == ["", "", ""]
    assert not cat.is_on_white("on the beach")


def test_what_is_no_such_folder_is_refused_with_a_reason(tmp_path: Path) -> None:
    write_photographs(tmp_path)
    (tmp_path / "soda_can").rename(tmp_path / "elsewhere")
    (tmp_path / "cat2").rename(tmp_path / "cats")
    with pytest.raises(InvalidRequest, match="None of the subjects"):
        read_dreambooth(tmp_path)

    (tmp_path / "cat2").mkdir()
    with pytest.raises(InvalidRequest, match="has no pictures"):
        read_dreambooth(tmp_path)

    (tmp_path / LIST).write_text("nothing")
    with pytest.raises(InvalidRequest, match="has no prompts"):
        read_dreambooth(tmp_path)


@pytest.mark.skipif(not REAL.is_dir(), reason="no photographs in ../shared/data")
def test_its_authors_own_list_has_twenty_five_prompts_for_each() -> None:
    cat, glasses = read_dreambooth(REAL)

    assert (cat.class_noun, glasses.class_noun) == ("cat", "glasses")
    assert [len(each.prompts) for each in (cat, glasses)] == [25, 25]
    assert cat.prompts["in a chef outfit"] == "a {} in a chef outfit"
    assert glasses.prompts["on top of a mirror"] == "a {} on top of a mirror"
