"""Qt for Krita 5 (PyQt5) and Krita 6 (PyQt6): whichever of the two Krita has loaded.

Enums are written in full (`Qt.AlignmentFlag.AlignLeft`), which both understand.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["QtCore", "QtGui", "QtWidgets", "Signal", "flags", "qt_major"]


def _loaded_major() -> int:
    krita = sys.modules.get("krita")
    if hasattr(krita, "qt_major_version"):  # from Krita 5.3 on
        return int(krita.qt_major_version())
    # Krita's own module has loaded its binding; to import the other one would crash Krita.
    return 6 if "PyQt6.QtCore" in sys.modules and "PyQt5.QtCore" not in sys.modules else 5


qt_major = _loaded_major()

if qt_major == 6:
    from PyQt6 import QtCore, QtGui, QtWidgets
else:
    from PyQt5 import QtCore, QtGui, QtWidgets

Signal = QtCore.pyqtSignal


def flags(value: Any) -> int:
    """The number behind flags where Qt takes one: PyQt6's enums are no integers."""
    return int(value.value if qt_major == 6 else value)
