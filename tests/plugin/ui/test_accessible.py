"""Keyboard and screen reader reach every widget of the dialogs, and each has a name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelsheet_krita.backend import api_responses, lora_header
from modelsheet_krita.ui import (
    import_dialog,
    learn_dialog,
    name_dialog,
    report_window,
    subject_list,
)
from modelsheet_krita.ui.animation import animate_dialog
from modelsheet_krita.ui.backend_forms import backend_dialog, setup_dialog
from tests.plugin.binding import MAJOR, QIcon, Qt
from tests.plugin.conftest import Until

if MAJOR == 6:
    from PyQt6 import QtWidgets
else:
    from PyQt5 import QtWidgets

SUBJECT = api_responses.SubjectView("1", "Hero", "knight", "sks", "sprite32", 0.0, ())
KINDS = (
    QtWidgets.QAbstractButton,
    QtWidgets.QLineEdit,
    QtWidgets.QComboBox,
    QtWidgets.QAbstractItemView,
    QtWidgets.QAbstractSpinBox,
)


def icon(name: str) -> QIcon:
    return QIcon()


MADE: dict[str, Callable[[], Any]] = {
    "animate": lambda: animate_dialog.AnimateDialog(icon, None),
    "learn": lambda: learn_dialog.LearnDialog(icon, None),
    "backend": lambda: backend_dialog.BackendDialog(icon, None, is_remote=True, url="", token=""),
    "name": lambda: name_dialog.NameDialog(
        icon, None, "Rename", name="Hero", tip="tip", validate=lambda name: "", explain=str
    ),
    "import": lambda: import_dialog.ImportDialog(
        icon, None, Path("fox.safetensors"), lora_header.LoraHeader(3, "", ""), []
    ),
    "report": lambda: report_window.ReportWindow(SUBJECT, [], None),
    "setup": lambda: setup_dialog.SetupDialog(icon, None),
    "subjects": lambda: subject_list.SubjectListWidget(icon),
}


@pytest.fixture(params=MADE)
def form(request: pytest.FixtureRequest, connected: Any, until: Until) -> Iterator[Any]:
    made = MADE[request.param]()
    made.show()
    until(made.isVisible)
    yield made
    made.close()
    made.deleteLater()


def operable(form: Any) -> list[Any]:
    """Return the widgets that can be clicked or typed into, without Qt's own inner parts."""
    inner = (QtWidgets.QComboBox, QtWidgets.QAbstractItemView, QtWidgets.QAbstractSpinBox)
    return [
        widget
        for kind in KINDS
        for widget in form.findChildren(kind)
        if widget.isVisible() and not any(isinstance(one, inner) for one in parents(widget, form))
    ]


def parents(widget: Any, root: Any) -> Iterator[Any]:
    while widget is not root and (widget := widget.parentWidget()) is not root:
        yield widget


def test_each_is_named(form: Any) -> None:
    nameless = [
        widget.objectName() or type(widget).__name__
        for widget in operable(form)
        if not (widget.accessibleName() or getattr(widget, "text", str)())
        or (isinstance(widget, QtWidgets.QLineEdit) and not widget.accessibleName())
    ]

    assert nameless == []


def test_fields_explain_themselves(form: Any) -> None:
    fields = (QtWidgets.QLineEdit, QtWidgets.QComboBox, QtWidgets.QToolButton)

    silent = [
        widget.objectName() or type(widget).__name__
        for widget in operable(form)
        if isinstance(widget, fields) and not widget.toolTip()
    ]

    assert silent == []


def test_the_tab_key_goes_down_the_form_and_reaches_all(form: Any) -> None:
    chain, widget = [], form.nextInFocusChain()
    while widget is not form:
        chain.append(widget)
        widget = widget.nextInFocusChain()
    reached = [one for one in operable(form) if one.focusPolicy() & Qt.FocusPolicy.TabFocus]

    places = {one: one.mapTo(form, one.rect().topLeft()) for one in reached}
    ordered = [one for one in chain if one in reached]
    assert set(reached) <= set(chain)
    # Buttons of one row may differ by some pixels; a column to the right begins at its top.
    slack = form.fontMetrics().height()
    backwards = [
        (earlier.objectName(), later.objectName())
        for earlier, later in zip(ordered, ordered[1:], strict=False)
        if places[later].y() <= places[earlier].y() - slack
        and places[later].x() < places[earlier].x() + earlier.width()
    ]
    assert backwards == []
