"""Line edit for the prompt: completes @handles and recalls earlier prompts."""

from __future__ import annotations

from collections.abc import Sequence

from ..qt import QtCore, QtGui, QtWidgets, not_none


class PromptEdit(QtWidgets.QLineEdit):
    """Completes @ to the handles of `show_handles`; arrow keys recall `show_history`."""

    def __init__(self) -> None:
        super().__init__()
        self._history: list[str] = []
        self._index = -1  # in the history; -1: the text that is being written
        self._draft = ""
        self._handles = QtCore.QStringListModel(self)
        self.completion = QtWidgets.QCompleter(self._handles, self)
        self.completion.setWidget(self)
        self.completion.setCaseSensitivity(QtCore.Qt.CaseSensitivity.CaseInsensitive)
        self.completion.activated.connect(self.complete)
        self.textEdited.connect(self._on_edited)

    def show_handles(self, handles: Sequence[str]) -> None:
        """Complete @ to these handles."""
        self._handles.setStringList([f"@{handle}" for handle in handles])

    def show_history(self, prompts: Sequence[str]) -> None:
        """Set the earlier prompts, newest first."""
        self._history, self._index = list(prompts), -1

    def complete(self, handle: str) -> None:
        """Replace the word at the cursor with `handle`."""
        start, end = self._word()
        text = self.text()
        rest = text[end:] if text[end : end + 1] == " " else " " + text[end:]
        self.setText(text[:start] + handle + rest)
        self.setCursorPosition(start + len(handle) + 1)

    def mention(self, handle: str) -> None:
        """Put @handle into the prompt, in place of another subject's if it names one."""
        words = self.text().split()
        others = [index for index, word in enumerate(words) if word.startswith("@")]
        if f"@{handle}" not in words:
            words[slice(others[0], others[0] + 1) if others else slice(0, 0)] = [f"@{handle}"]
        self.setText(" ".join(words) + " ")

    def continue_with(self, text: str) -> None:
        """Take the focus and insert text that was typed elsewhere."""
        self.setFocus()
        self.insert(text)

    def event(self, event: QtCore.QEvent) -> bool:
        keys = (QtCore.Qt.Key.Key_Up, QtCore.Qt.Key.Key_Down)
        # Krita's shortcuts would take the arrow keys away.
        if event.type() == QtCore.QEvent.Type.ShortcutOverride:
            assert isinstance(event, QtGui.QKeyEvent)
            if event.key() in keys:
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        if not_none(self.completion.popup()).isVisible() and event.key() in (
            QtCore.Qt.Key.Key_Return,
            QtCore.Qt.Key.Key_Enter,
            QtCore.Qt.Key.Key_Tab,
        ):
            event.ignore()  # the list of names takes it
            return
        if event.key() == QtCore.Qt.Key.Key_Up:
            self._recall(1)
        elif event.key() == QtCore.Qt.Key.Key_Down:
            self._recall(-1)
        else:
            super().keyPressEvent(event)

    def _recall(self, steps: int) -> None:
        index = self._index + steps
        if not -1 <= index < len(self._history):
            return
        if self._index == -1:
            self._draft = self.text()
        self._index = index
        self.setText(self._draft if index == -1 else self._history[index])

    def _on_edited(self) -> None:
        self._index = -1
        start, end = self._word()
        word = self.text()[start:end]
        if not word.startswith("@"):
            not_none(self.completion.popup()).hide()
            return
        self.completion.setCompletionPrefix(word)
        if self.completion.completionCount() and self.completion.currentCompletion() != word:
            self.completion.complete()
        else:
            not_none(self.completion.popup()).hide()

    def _word(self) -> tuple[int, int]:
        """Return start and end of the word at the cursor."""
        text, end = self.text(), self.cursorPosition()
        start = text.rfind(" ", 0, end) + 1
        while end < len(text) and text[end] != " ":
            end += 1
        return start, end
