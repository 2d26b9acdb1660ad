"""Words of a prompt that the base model was trained on, and those that count for nothing."""

from __future__ import annotations

import csv
import io
import zipfile

import pytest

from modelsheet.prompts.vocabulary import unknown_words, vocabulary
from sprite_training.sprite32.compositing import BACKGROUNDS
from tests.paths import SHARED_DATA


def test_words_without_a_caption_count_for_nothing() -> None:
    prompt = "@hero holding sword, riding a horse on the beach, (red:1.2) {cloak|Cape}"

    assert unknown_words([prompt], "sprite32") == ["riding", "horse", "beach", "cape"]


def test_a_subject_s_own_captions_count() -> None:
    prompt = "qdf human woman, back view, in the rain"

    assert unknown_words([prompt], "sprite32", ["qdf", "Back view"]) == ["rain"]


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_sd_knows_any_word(family: str) -> None:
    assert unknown_words(["riding a zorbflax"], family) == []  # type: ignore[arg-type]
    assert vocabulary(family).phrases == []  # type: ignore[arg-type]


def test_the_phrases_are_those_of_the_training_captions() -> None:
    archive = SHARED_DATA / "sprites.zip"
    if not archive.is_file():
        pytest.skip("no tiles in ../shared/data")
    with zipfile.ZipFile(archive) as source:
        rows = list(csv.DictReader(io.StringIO(source.read("captions.csv").decode("utf-8"))))
    core = {row["phrase"].strip() for row in rows if row["core"] == "1"} - {""}
    backgrounds = {f"on a {colour} background" for colour in BACKGROUNDS}

    assert set(vocabulary("sprite32").phrases) == core | backgrounds
