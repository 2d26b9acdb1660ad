"""Text edit for the prompt: several lines, completes @handles and recalls earlier prompts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..qt import QtCore, QtGui, QtWidgets, Signal, not_none

FEWEST_LINES, MOST_LINES = 2, 6
ENTER_KEYS = (QtCore.Qt.Key.Key_Return, QtCore.Qt.Key.Key_Enter)


class PromptEdit(QtWidgets.QPlainTextEdit):
    """Completes @ to the handles of `show_handles`; arrow keys recall `show_history`.

    As high as its text. Enter emits `returnPressed`, Shift+Enter starts a new line. Named like a
    line edit's, whose place it takes.
    """

    returnPressed = Signal()

    def __init__(self, most_characters: int) -> None:
        super().__init__()
        self._most_characters = most_characters
        self._history: list[str] = []
        self._index = -1  # in the history; -1: the text that is being written
        self._draft = ""
        self._is_set = False  # by the program, not by the artist
        self._handles = QtCore.QStringListModel(self)
        self.completion = QtWidgets.QCompleter(self._handles, self)
        self.completion.setWidget(self)
        self.completion.setCaseSensitivity(QtCore.Qt.CaseSensitivity.CaseInsensitive)
        self.completion.activated.connect(self.complete)
        self.setTabChangesFocus(True)
        self.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.textChanged.connect(self._on_changed)
        layout = not_none(not_none(self.document()).documentLayout())
        layout.documentSizeChanged.connect(self._fit_height)
        self._fit_height()

    def text(self) -> str:
        """Return the whole text."""
        return self.toPlainText()

    def setText(self, text: str) -> None:
        """Replace the text and put the cursor behind it."""
        self._is_set = True
        self.setPlainText(text)
        self._is_set = False
        self.moveCursor(QtGui.QTextCursor.MoveOperation.End)

    def cursorPosition(self) -> int:
        """Return the cursor's position in characters."""
        return self.textCursor().position()

    def setCursorPosition(self, position: int) -> None:
        """Move the cursor."""
        cursor = self.textCursor()
        cursor.setPosition(position)
        self.setTextCursor(cursor)

    def show_handles(self, handles: Sequence[str]) -> None:
        """Complete @ to these handles."""
        self._handles.setStringList([f"@{handle}" for handle in handles])

    def show_history(self, prompts: Sequence[str]) -> None:
        """Set the earlier prompts, newest first."""
        self._history, self._index = list(prompts), -1

    def history(self) -> list[str]:
        """Return the earlier prompts, newest first."""
        return list(self._history)

    def complete(self, handle: str) -> None:
        """Replace the word at the cursor with `handle`."""
        start, end = self._word()
        text = self.text()
        rest = text[end:] if text[end : end + 1].isspace() else " " + text[end:]
        self.setText(text[:start] + handle + rest)
        self.setCursorPosition(start + len(handle) + 1)

    def mention(self, handle: str) -> None:
        """Put @handle into the prompt, in place of another subject's if it names one."""
        text = self.text().strip()
        if f"@{handle}" not in text.split():
            first = re.search(r"(?<!\S)@\S+", text)
            start, end = first.span() if first else (0, 0)
            text = f"{text[:start]}@{handle} {text[end:].lstrip(' ')}".rstrip()
        self.setText(text + " ")

    def continue_with(self, text: str) -> None:
        """Take the focus and insert text that was typed elsewhere."""
        self.setFocus()
        self.insertPlainText(text)

    def event(self, event: QtCore.QEvent) -> bool:
        keys = (QtCore.Qt.Key.Key_Up, QtCore.Qt.Key.Key_Down, *ENTER_KEYS)
        # Krita's shortcuts would take these keys away.
        if event.type() == QtCore.QEvent.Type.ShortcutOverride:
            assert isinstance(event, QtGui.QKeyEvent)
            if event.key() in keys:
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        key, shift = event.key(), QtCore.Qt.KeyboardModifier.ShiftModifier
        is_listing = not_none(self.completion.popup()).isVisible()
        if is_listing and key in (*ENTER_KEYS, QtCore.Qt.Key.Key_Tab):
            event.ignore()  # the list of names takes it
        elif key in ENTER_KEYS and not event.modifiers() & shift:
            self.returnPressed.emit()
        elif key == QtCore.Qt.Key.Key_Up and not self._can_move(-1):
            self._recall(1)
        elif key == QtCore.Qt.Key.Key_Down and not self._can_move(1):
            self._recall(-1)
        else:
            super().keyPressEvent(event)

    def sizeHint(self) -> QtCore.QSize:
        return QtCore.QSize(super().sizeHint().width(), self.minimumHeight())

    def _can_move(self, lines: int) -> bool:
        """Return True if there is another line in that direction, also a wrapped one."""
        moves = QtGui.QTextCursor.MoveOperation
        return self.textCursor().movePosition(moves.Up if lines < 0 else moves.Down)

    def _fit_height(self) -> None:
        """Be as high as the text, within limits."""
        lines = not_none(not_none(self.document()).documentLayout()).documentSize().height()
        shown = min(max(FEWEST_LINES, round(lines)), MOST_LINES)
        margins = 2 * (round(not_none(self.document()).documentMargin()) + self.frameWidth())
        self.setFixedHeight(shown * self.fontMetrics().lineSpacing() + margins)

    def _recall(self, steps: int) -> None:
        index = self._index + steps
        if not -1 <= index < len(self._history):
            return
        if self._index == -1:
            self._draft = self.text()
        self._index = index
        self.setText(self._draft if index == -1 else self._history[index])

    def _on_changed(self) -> None:
        if len(self.text()) > self._most_characters:
            self._cut()
        if not self._is_set:
            self._on_edited()

    def _cut(self) -> None:
        """Cut what is longer than the backend takes."""
        cursor = self.textCursor()
        cursor.setPosition(self._most_characters)
        end, keep = QtGui.QTextCursor.MoveOperation.End, QtGui.QTextCursor.MoveMode.KeepAnchor
        cursor.movePosition(end, keep)
        cursor.removeSelectedText()

    def _on_edited(self) -> None:
        self._index = -1
        popup = not_none(self.completion.popup())
        start, end = self._word()
        word = self.text()[start:end]
        if not word.startswith("@"):
            popup.hide()
            return
        self.completion.setCompletionPrefix(word)
        if self.completion.completionCount() and self.completion.currentCompletion() != word:
            self.completion.complete()  # below the whole edit: it must not cover what is typed
        else:
            popup.hide()

    def _word(self) -> tuple[int, int]:
        """Return start and end of the word at the cursor."""
        text, end = self.text(), self.cursorPosition()
        before, after = re.search(r"\S*\Z", text[:end]), re.match(r"\S*", text[end:])
        assert before is not None
        assert after is not None
        return before.start(), end + after.end()
