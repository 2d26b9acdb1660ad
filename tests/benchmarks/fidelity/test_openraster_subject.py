"""A document of the artist's own as a test subject."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from modelsheet.cli.demo import sample_path
from modelsheet.errors import InvalidRequest
from modelsheet.imaging.openraster import Layer, write_document
from modelsheet_benchmarks.fidelity.openraster_subject import PROMPTS, read_openraster_subject


def test_layers_are_references_and_their_names_captions(tmp_path: Path) -> None:
    file = tmp_path / "fox.ora"
    layers = [
        Layer(name, Image.new("RGBA", (4, 4), "red"), 0, 0) for name in ("red scarf", "Layer 2")
    ]
    write_document(file, layers, (4, 4))

    subject = read_openraster_subject(file, " fox ", ["on grass floor"])

    assert (subject.name, subject.class_noun) == ("fox", "fox")
    assert subject.captions == ["red scarf", ""]
    assert [picture.size for picture in subject.references] == [(4, 4)] * 2
    assert subject.prompts == {"on grass floor": "{}, on grass floor"}
    assert (subject.truths, subject.plain) == ({}, None)


def test_the_sample_has_prompts_without_being_asked() -> None:
    subject = read_openraster_subject(sample_path(), "human woman")

    assert len(subject.references) > 3
    assert list(subject.prompts) == list(PROMPTS)


def test_a_class_noun_is_asked_for() -> None:
    with pytest.raises(InvalidRequest, match="Say what hero.ora shows"):
        read_openraster_subject(sample_path(), "")
