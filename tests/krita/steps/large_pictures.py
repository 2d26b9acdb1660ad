"""Open the learn form for a character of 64 x 64 pixels in a real Krita: what it says and shows."""

from __future__ import annotations

import runpy
from pathlib import Path

from krita import Krita
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QColor, QImage, QPainter, QPen

ROAD = runpy.run_path(str(Path(__file__).with_name("road.py")))
after = ROAD["after"]
SIDE = 64
INK, GREEN, LIGHT = QColor(24, 48, 24), QColor(70, 160, 50), QColor(120, 200, 80)


def steps(driver):
    yield from ROAD["arrange_window"](driver)
    driver.report["docker"] = driver.child("modelsheet_status").text()
    krita = Krita.instance()
    created = krita.createDocument(SIDE, SIDE, "frog", "RGBA", "U8", "", 72.0)
    driver.window.addView(created)
    yield lambda: krita.activeDocument() is not None
    document = krita.activeDocument()
    names = ["Paint Layer 1", "gold crown", "red scarf"]
    for name in names:
        ROAD["add_layer"](document, name, frog(name), 0, 0)
    document.refreshProjection()
    yield after(0.5)
    yield from ROAD["choose_layers"](driver, document, names)
    krita.action("modelsheet_learn_subject").trigger()
    learn = driver.docker().controller.learn
    yield lambda: learn.dialog.isVisible()
    yield after(0.5)
    form = learn.dialog
    driver.report["said"] = form.size_choice.text.text()
    driver.report["model"] = form.base_model.currentText()
    driver.report["button"] = form.learn.text()
    driver.report["captions"] = sorted(caption for _, caption in form.images.chosen())
    driver.screenshot(form, "form-said")
    yield lambda: form.size_choice.previews
    yield after(0.5)
    driver.report["previews"] = [colours(label.pixmap()) for label in form.size_choice.previews]
    driver.report["offered"] = sorted(form.size_choice.buttons)
    driver.screenshot(form, "form-previews")
    driver.screenshot(driver.window.qwindow(), "window")
    form.reject()
    document.setModified(False)


def frog(extra):
    """A frog with an outline of one pixel and eyes, in few colours."""
    image = QImage(SIDE, SIDE, QImage.Format.Format_ARGB32)
    image.fill(0)
    painter = QPainter(image)
    painter.setPen(QPen(INK))
    painter.setBrush(GREEN)
    painter.drawEllipse(6, 36, 16, 20)
    painter.drawEllipse(42, 36, 16, 20)
    painter.drawEllipse(12, 20, 39, 38)
    for left in (13, 38):
        painter.setBrush(LIGHT)
        painter.drawEllipse(left, 9, 13, 15)
        painter.setBrush(QColor(250, 250, 245))
        painter.drawEllipse(left + 2, 11, 9, 10)
        painter.fillRect(left + 5, 14, 4, 5, QColor(16, 16, 24))
    painter.fillRect(22, 36, 21, 2, INK)
    if extra == "gold crown":
        painter.fillRect(25, 2, 14, 8, QColor(250, 210, 60))
    if extra == "red scarf":
        painter.fillRect(15, 42, 34, 5, QColor(200, 40, 50))
    painter.end()
    return image


def colours(pixmap):
    """Return the number of the picture's colours that are no chequerboard."""
    image = pixmap.toImage()
    found = {
        image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())
    }
    return len(found - {QColor(204, 204, 204).name(), QColor(Qt.GlobalColor.white).name()})
