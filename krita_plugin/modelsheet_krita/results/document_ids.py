"""Ids of documents: the same one when a file is opened again, also under another name."""

from __future__ import annotations

import uuid
from typing import Callable

from ..document.document import OpenDocument


class DocumentIds:
    """Gives each document an id.

    A .kra that results were applied to carries its id in an annotation, so that it may be moved
    and renamed; every other file is known by its path, a document without a file until it closes.
    `of_file` and `remember_file` get and set the id of a path.
    """

    def __init__(
        self, of_file: Callable[[str], str], remember_file: Callable[[str, str], None]
    ) -> None:
        self._of_file, self._remember_file = of_file, remember_file
        self._open: list[tuple[OpenDocument, str]] = []

    def id_of(self, document: OpenDocument) -> str:
        """Return the document's id, a new one for a document that was never seen."""
        self._open = [(one, known) for one, known in self._open if one.is_open]
        found = next((known for one, known in self._open if one.is_same(document)), "")
        if not found:
            found = document.noted_id() or self._of_file(document.path)
            found = found or uuid.uuid4().hex
            self._open.append((document, found))
        if document.path:  # also the new one after Save As
            self._remember_file(document.path, found)
        return found

    def adopt(self, document: OpenDocument, document_id: str) -> None:
        """Give a document the id of another, whose results it shows then."""
        others = [(one, known) for one, known in self._open if not one.is_same(document)]
        self._open = [*others, (document, document_id)]
