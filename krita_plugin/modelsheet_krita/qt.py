"""Import the Qt binding that Krita has loaded: PyQt5 in Krita 5, PyQt6 in Krita 6.

Enums are written in full (`Qt.AlignmentFlag.AlignLeft`), which both bindings understand. mypy reads
the annotations that PyQt6 ships, as they are the stricter ones; the tests run under both bindings.
"""

from __future__ import annotations

import html
import sys
from typing import TYPE_CHECKING, Any, Callable, TypeVar

__all__ = [
    "QtCore",
    "QtGui",
    "QtWidgets",
    "Signal",
    "connect_queued",
    "flags",
    "not_none",
    "plain",
    "plain_label",
    "qt_major",
]
T = TypeVar("T")


def _loaded_major() -> int:
    krita: Any = sys.modules.get("krita")
    if hasattr(krita, "qt_major_version"):  # from Krita 5.3 on
        return int(krita.qt_major_version())
    # Krita's own module has loaded its binding; to import the other one would crash Krita.
    return 6 if "PyQt6.QtCore" in sys.modules and "PyQt5.QtCore" not in sys.modules else 5


qt_major = _loaded_major()

if TYPE_CHECKING or qt_major == 6:
    from PyQt6 import QtCore, QtGui, QtWidgets
else:
    from PyQt5 import QtCore, QtGui, QtWidgets

Signal = QtCore.pyqtSignal


def flags(value: Any) -> int:
    """Return the integer of Qt flags for functions that take one: PyQt6's enums are no integers."""
    return int(value.value if qt_major == 6 else value)


def not_none(value: T | None) -> T:
    """Return a value that PyQt annotates as optional where it never is None."""
    assert value is not None
    return value


def plain(text: str) -> str:
    """Return a tooltip's text so that Qt shows it as it is: names may hold what looks like HTML."""
    return f'<p style="white-space: pre-wrap">{html.escape(text)}</p>' if "<" in text else text


def plain_label(text: str = "") -> QtWidgets.QLabel:
    """Make a label that shows its text as it is: names may hold what looks like HTML."""
    label = QtWidgets.QLabel(text)
    label.setTextFormat(QtCore.Qt.TextFormat.PlainText)
    return label


def connect_queued(signal: QtCore.pyqtBoundSignal, slot: Callable[[], None]) -> None:
    """Connect a signal so that the slot runs in the event loop of its object's thread."""
    queued = QtCore.Qt.ConnectionType.QueuedConnection
    signal.connect(slot, queued)  # type: ignore[call-arg]  # PyQt6 annotates no second argument
