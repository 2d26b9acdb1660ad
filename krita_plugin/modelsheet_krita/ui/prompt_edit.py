"""The line for the prompt: completes @names and brings earlier prompts back."""

from __future__ import annotations

from collections.abc import Sequence

from ..qt import QtCore, QtGui, QtWidgets


class PromptLine(QtWidgets.QLineEdit):
    """`show_handles` says what @ completes to, `show_history` what the arrow keys bring back."""

    def __init__(self) -> None:
        super().__init__()
        self._history: list[str] = []
        self._place = -1  # -1: the artist's own line, else how far back
        self._own = ""
        self._handles = QtCore.QStringListModel(self)
        self.completion = QtWidgets.QCompleter(self._handles, self)
        self.completion.setWidget(self)
        self.completion.setCaseSensitivity(QtCore.Qt.CaseSensitivity.CaseInsensitive)
        self.completion.activated.connect(self.complete)
        self.textEdited.connect(self._on_edited)

    def show_handles(self, handles: Sequence[str]) -> None:
        self._handles.setStringList([f"@{handle}" for handle in handles])

    def show_history(self, prompts: Sequence[str]) -> None:
        """Newest first."""
        self._history, self._place = list(prompts), -1

    def complete(self, handle: str) -> None:
        """Put `handle` in place of the word at the cursor."""
        start, end = self._word()
        text = self.text()
        rest = text[end:] if text[end : end + 1] == " " else " " + text[end:]
        self.setText(text[:start] + handle + rest)
        self.setCursorPosition(start + len(handle) + 1)

    def mention(self, handle: str) -> None:
        """Put @handle into the prompt, in place of another subject's if it names one."""
        words = self.text().split()
        others = [place for place, word in enumerate(words) if word.startswith("@")]
        if f"@{handle}" not in words:
            words[slice(others[0], others[0] + 1) if others else slice(0, 0)] = [f"@{handle}"]
        self.setText(" ".join(words) + " ")

    def go_on_with(self, text: str) -> None:
        """Let the artist go on here with what was typed elsewhere."""
        self.setFocus()
        self.insert(text)

    def event(self, event: QtCore.QEvent) -> bool:
        keys = (QtCore.Qt.Key.Key_Up, QtCore.Qt.Key.Key_Down)
        # Krita's shortcuts would take the arrow keys away.
        if event.type() == QtCore.QEvent.Type.ShortcutOverride and event.key() in keys:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        if self.completion.popup().isVisible() and event.key() in (
            QtCore.Qt.Key.Key_Return,
            QtCore.Qt.Key.Key_Enter,
            QtCore.Qt.Key.Key_Tab,
        ):
            event.ignore()  # the list of names takes it
            return
        if event.key() == QtCore.Qt.Key.Key_Up:
            self._go_back(1)
        elif event.key() == QtCore.Qt.Key.Key_Down:
            self._go_back(-1)
        else:
            super().keyPressEvent(event)

    def _go_back(self, steps: int) -> None:
        place = self._place + steps
        if not -1 <= place < len(self._history):
            return
        if self._place == -1:
            self._own = self.text()
        self._place = place
        self.setText(self._own if place == -1 else self._history[place])

    def _on_edited(self) -> None:
        self._place = -1
        start, end = self._word()
        word = self.text()[start:end]
        if not word.startswith("@"):
            self.completion.popup().hide()
            return
        self.completion.setCompletionPrefix(word)
        if self.completion.completionCount() and self.completion.currentCompletion() != word:
            self.completion.complete()
        else:
            self.completion.popup().hide()

    def _word(self) -> tuple[int, int]:
        """Where the word at the cursor begins and ends."""
        text, end = self.text(), self.cursorPosition()
        start = text.rfind(" ", 0, end) + 1
        while end < len(text) and text[end] != " ":
            end += 1
        return start, end
