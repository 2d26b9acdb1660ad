"""Parse XML of strangers into a tree: no document type, no more elements than are expected."""

from __future__ import annotations

from xml.etree import ElementTree

_DEEPEST = 64
_MOST_ELEMENTS = 100_000


def parse_xml(content: bytes) -> ElementTree.Element:
    """Parse a UTF-8 document. Raises ValueError: it is damaged, or larger or deeper than ours."""
    text = content.decode("utf-8-sig")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("it declares a document type; that is refused")
    parser = ElementTree.XMLParser(target=_LimitedTreeBuilder())  # nosec B314 # no document type
    try:
        parser.feed(text)
        root: ElementTree.Element = parser.close()
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from None
    return root


class _LimitedTreeBuilder(ElementTree.TreeBuilder):
    """A tree builder that raises ValueError beyond its limits."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._elements = 0

    def start(self, tag: str, attributes: dict[str, str], /) -> ElementTree.Element:
        self._depth += 1
        self._elements += 1
        if self._depth > _DEEPEST:
            raise ValueError(f"its elements are nested deeper than {_DEEPEST} levels")
        if self._elements > _MOST_ELEMENTS:
            raise ValueError(f"it has more than {_MOST_ELEMENTS} elements")
        return super().start(tag, attributes)

    def end(self, tag: str, /) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag)
