"""Ids of documents: the same one when a file is opened again, also under another name."""

from __future__ import annotations

import uuid

from ...document.document import OpenDocument
from ..saved_state import SavedState


class DocumentIds:
    """Gives each document an id.

    A .kra that results were applied to carries its id in an annotation, so that it may be moved
    and renamed; every other file is known by its path, a document without a file until it closes.
    """

    def __init__(self, saved_state: SavedState) -> None:
        self._saved_state = saved_state
        self._open: list[tuple[OpenDocument, str]] = []

    def id_of(self, document: OpenDocument) -> str:
        """Return the document's id, a new one for a document that was never seen."""
        self._open = [(one, known) for one, known in self._open if one.is_open]
        found = next((known for one, known in self._open if one.is_same(document)), "")
        if not found:
            found = document.noted_id() or self._saved_state.document_id(document.path)
            found = found or uuid.uuid4().hex
            self._open.append((document, found))
        if document.path:  # also the new one after Save As
            self._saved_state.remember_file(document.path, found)
        return found
