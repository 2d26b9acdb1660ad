"""Mark the words of a prompt that the base model was not trained on."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from typing import Callable

from ...mentions import without_mentions
from ...qt import QtCore, QtGui

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")  # as the backend splits prompts
MOST_SIMILAR, LEAST_SIMILARITY = 3, 0.75
COLOUR = QtGui.QColor(220, 50, 47)  # legible on dark and light themes


class UnknownWordHighlighter(QtGui.QSyntaxHighlighter):
    """Underlines unknown words like a spelling checker; none while no words are known.

    The word before the cursor stays unmarked while it can become a known one.
    """

    def __init__(self, document: QtGui.QTextDocument, cursor_position: Callable[[], int]) -> None:
        super().__init__(document)
        self._cursor_position = cursor_position
        self._words: frozenset[str] = frozenset()
        self._sorted: tuple[str, ...] = ()
        self._format = QtGui.QTextCharFormat()
        self._format.setUnderlineStyle(QtGui.QTextCharFormat.UnderlineStyle.SpellCheckUnderline)
        self._format.setUnderlineColor(COLOUR)
        # Later: Qt crashes where a document is marked while it is being edited.
        self._timer = QtCore.QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self.rehighlight)

    def show_words(self, words: Collection[str]) -> None:
        """Mark all other words than these; an empty collection marks none."""
        if frozenset(words) != self._words:
            self._words, self._sorted = frozenset(words), tuple(sorted(words))
            self.mark_again()

    def mark_again(self) -> None:
        """Mark the text again as soon as the present event is over."""
        self._timer.start()

    def highlightBlock(self, text: str | None) -> None:
        cursor = self._cursor_position() - self.currentBlock().position()
        for start, end in self._unknown(text or "", cursor):
            self.setFormat(start, end - start, self._format)

    def unknown_word_at(self, text: str, position: int) -> str:
        """Return the unknown word at a position, or nothing."""
        found = [text[s:e] for s, e in self._unknown(text, -1) if s <= position < e]
        return found[0] if found else ""

    def similar(self, word: str) -> list[str]:
        """List the known words nearest to an unknown one."""
        wanted = word.lower()
        return difflib.get_close_matches(wanted, self._sorted, MOST_SIMILAR, LEAST_SIMILARITY)

    def _unknown(self, text: str, cursor: int) -> Iterator[tuple[int, int]]:
        """Yield start and end of each unknown word."""
        if not self._words:
            return
        for match in WORD.finditer(without_mentions(text, " ")):
            word = match[0].lower()
            is_being_typed = match.end() == cursor and any(
                known.startswith(word) for known in self._sorted
            )
            if word not in self._words and not is_being_typed:
                yield match.span()
