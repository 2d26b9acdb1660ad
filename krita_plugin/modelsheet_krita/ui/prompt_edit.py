"""Text edit for the prompt: several lines, completion, marks of unknown words, history."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ..i18n import tr
from ..mentions import find_mentions
from ..qt import QtCore, QtGui, QtWidgets, Signal, not_none
from .vocabulary.completions import Completion, PhraseCompletions
from .vocabulary.highlighter import UnknownWordHighlighter

FEWEST_LINES, MOST_LINES = 2, 6
ENTER_KEYS = (QtCore.Qt.Key.Key_Return, QtCore.Qt.Key.Key_Enter)
COMPLETING_KEYS = (*ENTER_KEYS, QtCore.Qt.Key.Key_Tab)


class PromptEdit(QtWidgets.QPlainTextEdit):
    """Completes @ to the handles of `show_handles`, other words to `show_vocabulary`; arrow keys
    recall `show_history`.

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
        self._text = ""  # before the last change; marking words changes no text
        self._handles: list[str] = []
        self._phrases = PhraseCompletions()
        self._offered: list[Completion] = []
        self._offered_texts = QtCore.QStringListModel(self)
        self.completion = QtWidgets.QCompleter(self._offered_texts, self)
        self.completion.setWidget(self)
        self.completion.setCompletionMode(
            QtWidgets.QCompleter.CompletionMode.UnfilteredPopupCompletion
        )
        self.completion.activated.connect(self.complete)
        self.unknown = UnknownWordHighlighter(not_none(self.document()), self.cursorPosition)
        self.cursorPositionChanged.connect(self.unknown.mark_again)
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

    def show_handles(self, handles: Sequence[str]) -> None:
        """Complete @ to these handles."""
        self._handles = [f"@{handle}" for handle in handles]

    def show_vocabulary(self, phrases: Sequence[str], words: Collection[str]) -> None:
        """Complete words to these phrases; mark all words but these, none if there are none."""
        self._phrases = PhraseCompletions(phrases)
        self.unknown.show_words(words)

    def show_history(self, prompts: Sequence[str]) -> None:
        """Set the earlier prompts, newest first."""
        self._history, self._index = list(prompts), -1

    def history(self) -> list[str]:
        """Return the earlier prompts, newest first."""
        return list(self._history)

    def complete(self, text: str) -> None:
        """Put one of the offered texts in place of what was typed of it."""
        start, end = self._word()
        start = next((one.start for one in self._offered if one.text == text), start)
        rest = self.text()[end:]
        cursor = self.textCursor()
        cursor.setPosition(start)
        cursor.setPosition(end, QtGui.QTextCursor.MoveMode.KeepAnchor)
        self._is_set = True
        cursor.insertText(text if rest[:1].isspace() or rest[:1] == "," else f"{text} ")
        self._is_set = False
        self.setTextCursor(cursor)
        if rest[:1].isspace():
            self.moveCursor(QtGui.QTextCursor.MoveOperation.Right)
        QtCore.QTimer.singleShot(0, self._offer)  # what can follow, once this list is closed

    def mention(self, handle: str) -> None:
        """Put @handle into the prompt, in place of another subject's if it names one."""
        text = self.text().strip()
        found = list(find_mentions(text))
        if not found:
            text = f"@{handle} {text}".rstrip()
        elif handle not in (mention.name for mention in found):
            text = f"{text[: found[0].start]}@{handle}{text[found[0].end :]}"
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
        if event.type() == QtCore.QEvent.Type.KeyPress and self._is_listing():
            assert isinstance(event, QtGui.QKeyEvent)
            if event.key() == QtCore.Qt.Key.Key_Tab:  # would move the focus
                self.keyPressEvent(event)
                return True
        if event.type() == QtCore.QEvent.Type.ToolTip:
            assert isinstance(event, QtGui.QHelpEvent)
            word = self._unknown_word_below(event.pos())
            if word:
                QtWidgets.QToolTip.showText(event.globalPos(), self._explanation(word), self)
                return True
        return super().event(event)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        key, shift = event.key(), QtCore.Qt.KeyboardModifier.ShiftModifier
        if self._is_listing() and key in COMPLETING_KEYS:
            self._take_completion()
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

    def _is_listing(self) -> bool:
        return not_none(self.completion.popup()).isVisible()

    def _take_completion(self) -> None:
        """Take the completion that is highlighted, else the first."""
        popup = not_none(self.completion.popup())
        row = max(0, popup.currentIndex().row())
        popup.hide()
        self.complete(self._offered[row].text)

    def _unknown_word_below(self, position: QtCore.QPoint) -> str:
        """Return the marked word below a position of the widget, or nothing."""
        place = not_none(self.viewport()).mapFromParent(position)
        character = self.cursorForPosition(place).position()
        return self.unknown.unknown_word_at(self.text(), character)

    def _explanation(self, word: str) -> str:
        near = self.unknown.similar(word)
        said = tr("This model has never seen “{word}”, so it counts for nothing.", word=word)
        return f"{said} {tr('Near to it: {words}.', words=', '.join(near))}" if near else said

    def _on_changed(self) -> None:
        if self.text() == self._text:
            return
        self._text = self.text()
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
        self._offer()

    def _offer(self) -> None:
        """Show what the text before the cursor can be completed to, or hide the list."""
        popup = not_none(self.completion.popup())
        start, end = self._word()
        word = self.text()[start:end]
        if word.startswith("@"):
            names = [one for one in self._handles if one.startswith(word.lower())]
            self._offered = [Completion(one, start) for one in names if names != [word]]
        else:
            self._offered = self._phrases.complete(self.text()[: self.cursorPosition()])
        self._offered_texts.setStringList([one.text for one in self._offered])
        if self._offered:
            self.completion.complete()  # below the whole edit: it must not cover what is typed
            popup.setCurrentIndex(QtCore.QModelIndex())
        else:
            popup.hide()

    def _word(self) -> tuple[int, int]:
        """Return start and end of the word at the cursor."""
        text, end = self.text(), self.cursorPosition()
        before, after = re.search(r"\S*\Z", text[:end]), re.match(r"\w*", text[end:])
        assert before is not None
        assert after is not None
        return before.start(), end + after.end()
