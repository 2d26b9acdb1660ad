"""XML of strangers is parsed up to a depth and a number of elements, without a document type."""

from __future__ import annotations

import pytest

from modelsheet.files.xml_tree import parse_xml


def test_it_reads_elements_and_attributes() -> None:
    root = parse_xml("\ufeff<a n='é'><b/><b/></a>".encode())

    assert (root.tag, root.get("n"), [child.tag for child in root]) == ("a", "é", ["b", "b"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<a>" * 2000 + b"</a>" * 2000, "nested deeper"),
        (b"<a>" + b"<b/>" * 200_000 + b"</a>", "more than 100000 elements"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "document type"),
        (b"<a>&b;</a>", "undefined entity"),
        (b"<a><b></a>", "mismatched tag"),
        (b"<a>", "no element found"),
        (b"", "no element found"),
        ("<a/>".encode("utf-16"), "utf-8"),
    ],
)
def test_what_is_wrong_is_a_value_error(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_xml(content)
