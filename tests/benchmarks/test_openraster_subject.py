"""A document of the artist's own as a test subject."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from modelsheet.cli.demo import sample_path
from modelsheet.errors import InvalidRequest
from modelsheet.imaging.openraster import Layer, write_document
from modelsheet_benchmarks.openraster_subject import ASKED, read_own


def test_layers_are_references_and_their_names_captions(tmp_path: Path) -> None:
    file = tmp_path / "fox.ora"
    layers = [
        Layer(name, Image.new("RGBA", (4, 4), "red"), 0, 0) for name in ("red scarf", "Layer 2")
    ]
    write_document(file, layers, (4, 4))

    doll = read_own(file, " fox ", ["on grass floor"])

    assert (doll.name, doll.class_noun) == ("fox", "fox")
    assert doll.captions == ["red scarf", ""]
    assert [picture.size for picture in doll.references] == [(4, 4)] * 2
    assert doll.prompts == {"on grass floor": "{}, on grass floor"}
    assert (doll.truths, doll.plain) == ({}, None)


def test_the_sample_has_prompts_without_being_asked() -> None:
    doll = read_own(sample_path(), "human woman")

    assert len(doll.references) > 3
    assert list(doll.prompts) == list(ASKED)


def test_a_class_noun_is_asked_for() -> None:
    with pytest.raises(InvalidRequest, match="Say what hero.ora shows"):
        read_own(sample_path(), "")
