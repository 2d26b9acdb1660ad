"""The Qt that these tests run under: PyQt5 as in Krita 5, or with MODELSHEET_QT=6 Krita 6's."""

from __future__ import annotations

import os

MAJOR = 6 if os.environ.get("MODELSHEET_QT") == "6" else 5

if MAJOR == 6:
    from PyQt6.QtCore import (
        QByteArray,
        QDeadlineTimer,
        QEvent,
        QEventLoop,
        QObject,
        QPoint,
        QPointF,
        QRect,
        Qt,
        QUuid,
        pyqtSignal,
    )
    from PyQt6.QtGui import QColor, QIcon, QImage, QKeyEvent, QMouseEvent, QPalette, QPixmap
    from PyQt6.QtWidgets import (
        QAbstractScrollArea,
        QApplication,
        QDockWidget,
        QMainWindow,
        QMdiArea,
        QStackedWidget,
    )
else:
    from PyQt5.QtCore import (
        QByteArray,
        QDeadlineTimer,
        QEvent,
        QEventLoop,
        QObject,
        QPoint,
        QPointF,
        QRect,
        Qt,
        QUuid,
        pyqtSignal,
    )
    from PyQt5.QtGui import QColor, QIcon, QImage, QKeyEvent, QMouseEvent, QPalette, QPixmap
    from PyQt5.QtWidgets import (
        QAbstractScrollArea,
        QApplication,
        QDockWidget,
        QMainWindow,
        QMdiArea,
        QStackedWidget,
    )

__all__ = [
    "MAJOR",
    "QAbstractScrollArea",
    "QApplication",
    "QByteArray",
    "QColor",
    "QDeadlineTimer",
    "QDockWidget",
    "QEvent",
    "QEventLoop",
    "QIcon",
    "QImage",
    "QKeyEvent",
    "QMainWindow",
    "QMdiArea",
    "QMouseEvent",
    "QObject",
    "QPalette",
    "QPixmap",
    "QPoint",
    "QPointF",
    "QRect",
    "QStackedWidget",
    "QUuid",
    "Qt",
    "pyqtSignal",
]
