"""Runs one test's steps on Krita's main thread, writes what it saw as JSON, and quits Krita.

`MODELSHEET_DRIVER_STEPS` names a Python file with a generator `steps(driver)`. It yields
conditions; the driver goes on when one is true and fails the run when it stays false for too long.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
import traceback
from pathlib import Path

from krita import Extension, Krita
from PyQt5.QtCore import QTimer
from PyQt5.QtWidgets import QApplication, QDockWidget, QLabel, QWidget

TICK_MS = 20
PATIENCE_S = float(os.environ.get("MODELSHEET_DRIVER_PATIENCE_S", "400"))


class Driver:
    """Interface for a test's steps: the window, the report, screenshots, widgets by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.report: dict = {"error": None}

    @property
    def window(self):
        return Krita.instance().activeWindow()

    def docker(self, name: str = "modelsheet_krita"):
        """The docker with that object name."""
        return self.window.qwindow().findChild(QDockWidget, name)

    def child(self, name: str, parent=None):
        """Return the widget with that object name, in the docker or in one of its dialogs."""
        roots = [parent] if parent else [*QApplication.topLevelWidgets(), self.window.qwindow()]
        for root in roots:
            found = root.findChild(QWidget, name)
            if found is not None:
                return found
        raise LookupError(name)

    def docker_text(self) -> str:
        """All that the docker's labels say now."""
        labels = self.docker().findChildren(QLabel)
        return " | ".join(label.text() for label in labels if label.isVisible() and label.text())

    def screenshot(self, widget, name: str) -> None:
        widget.grab().save(str(self.folder / (name + ".png")))


class Play:
    """Steps through the generator, one condition after another."""

    def __init__(self, driver: Driver, steps) -> None:
        self._driver = driver
        self._steps = steps
        self._condition = lambda: True
        self._deadline = time.monotonic() + PATIENCE_S
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)
        self._timer.start(TICK_MS)

    def _tick(self) -> None:
        try:
            self._advance()
        except StopIteration:
            self._finish()
        except Exception:  # noqa: BLE001  whatever a test's steps raise belongs into its report
            earlier = self._driver.report["error"] or ""
            self._driver.report["error"] = earlier + traceback.format_exc()
            self._driver.report["error"] += "The docker reads: " + self._driver.docker_text()
            self._driver.screenshot(self._driver.window.qwindow(), "failed")
            self._finish()

    def _advance(self) -> None:
        self._timer.stop()
        if self._condition():
            self._condition = next(self._steps) or (lambda: True)
            self._deadline = time.monotonic() + PATIENCE_S
        elif time.monotonic() > self._deadline:
            self._steps.throw(TimeoutError("the awaited condition never came true"))
        self._timer.start(TICK_MS)

    def _finish(self) -> None:
        self._timer.stop()
        path = self._driver.folder / "report.json"
        path.with_suffix(".part").write_text(json.dumps(self._driver.report), encoding="utf-8")
        path.with_suffix(".part").rename(path)
        for document in Krita.instance().documents():
            document.setModified(False)
        QApplication.closeAllWindows()
        QTimer.singleShot(3000, QApplication.quit)


class DriverExtension(Extension):
    """Starts the play once the first window stands."""

    def setup(self) -> None:
        self._play = None
        sys.excepthook = self._on_exception
        self._driver = Driver(Path(os.environ["MODELSHEET_DRIVER_FOLDER"]))

    def createActions(self, window) -> None:
        if self._play is None:
            QTimer.singleShot(1500, self._start)

    def _start(self) -> None:
        try:
            module = runpy.run_path(os.environ["MODELSHEET_DRIVER_STEPS"])
            self._play = Play(self._driver, module["steps"](self._driver))
        except Exception:  # noqa: BLE001  whatever a test's steps raise belongs into its report
            self._driver.report["error"] = traceback.format_exc()
            Play(self._driver, iter(()))._finish()

    def _on_exception(self, kind, value, trace) -> None:
        text = "".join(traceback.format_exception(kind, value, trace))
        self._driver.report["error"] = (self._driver.report["error"] or "") + text


Krita.instance().addExtension(DriverExtension(Krita.instance()))
