"""From a hero's front layer to key views and an animation, by mouse and keys in the form.

SHEET_PICTURE is a PNG of the hero, to be put on a layer.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path

from krita import Krita
from PyQt5.QtCore import QByteArray, Qt
from PyQt5.QtGui import QImage
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QWidget

ROAD = runpy.run_path(str(Path(__file__).with_name("road.py")))
after, is_shown = ROAD["after"], ROAD["is_shown"]
CANVAS = (320, 96)
CORNER = (8, 16)
PAINT = bytes((0, 255, 255, 255))  # yellow, B G R A
TICKED = "modelsheet_action_slash"


def steps(driver):
    window = driver.window.qwindow()
    window.setGeometry(0, 0, 1600, 1000)
    yield after(2.0)  # the docker is placed once the window is laid out
    yield lambda: driver.docker().controller.panel.generate.isEnabled()
    document = yield from open_hero(driver)
    before = tree(document)
    yield from open_form(driver)
    driver.report["form"] = fits(driver)
    driver.screenshot(driver.child("modelsheet_animate_form"), "1-form")
    yield from press(driver, "modelsheet_key_views")
    yield lambda: driver.child("modelsheet_insert").isEnabled()
    yield from open_fit(driver)
    driver.screenshot(driver.child("modelsheet_animate_form"), "2-key-views")
    driver.report["touched by drawing"] = tree(document) != before
    yield from insert(driver)
    driver.report["key views"] = tree(document)
    driver.screenshot(window, "3-key-views-in-the-document")
    yield from correct_left(document)
    with_views = tree(document)
    driver.child(TICKED).setFocus()
    QTest.keyClick(driver.child(TICKED), Qt.Key_Space)
    yield from press(driver, "modelsheet_animate")
    yield lambda: driver.child("modelsheet_shown_action").count() > 1
    yield lambda: driver.child("modelsheet_insert").isEnabled()
    yield after(0.5)
    driver.screenshot(driver.child("modelsheet_animate_form"), "4-animated")
    yield from insert(driver)
    driver.report["animation"] = tree(document)
    driver.report["frames"] = key_frames(document)
    driver.report["frame rate"] = document.framesPerSecond()
    driver.report["last frame"] = document.fullClipRangeEndTime()
    driver.report["corrected"] = corrected(document)
    driver.screenshot(driver.child("modelsheet_animate_form"), "5-inserted")
    driver.child("modelsheet_animate_form").close()
    yield after(1.0)
    driver.screenshot(window, "6-animation-in-the-document")
    driver.report["shown"] = any(bytes(document.pixelData(*CORNER, 64, 64)))
    for name, former in (("undone once", with_views), ("undone twice", before)):
        Krita.instance().action("edit_undo").trigger()
        document.waitForDone()
        yield after(0.5)
        driver.report[name] = tree(document) == former


def open_hero(driver):
    krita = Krita.instance()
    created = krita.createDocument(*CANVAS, "hero", "RGBA", "U8", "", 72.0)
    driver.window.addView(created)
    yield lambda: krita.activeDocument() is not None
    document = krita.activeDocument()
    document.nodeByName("Background").remove()
    image = QImage(os.environ["SHEET_PICTURE"])
    ROAD["add_layer"](document, "Hero front", image, *CORNER)
    document.waitForDone()
    document.setActiveNode(document.nodeByName("Hero front"))
    driver.window.activeView().canvas().setZoomLevel(3.0)
    yield after(1.0)
    return document


def open_form(driver):
    Krita.instance().action("modelsheet_model_sheet").trigger()
    yield lambda: is_shown(driver, "modelsheet_animate_form")
    yield lambda: driver.child("modelsheet_animate_form").action_boxes
    yield after(0.5)


def press(driver, name):
    button = driver.child(name)
    yield button.isEnabled
    QTest.mouseClick(button, Qt.LeftButton)
    yield after(0.3)


def open_fit(driver):
    section = driver.child("modelsheet_fit_section")
    yield section.isVisible
    QTest.mouseClick(section, Qt.LeftButton)
    yield after(0.5)
    driver.report["form with the fit"] = fits(driver)


def insert(driver):
    controller = driver.docker().animate
    yield from press(driver, "modelsheet_insert")
    yield lambda: not controller.is_inserting
    yield after(1.0)
    driver.report.setdefault("said", []).append(controller.dialog.remarks.text.text())


def correct_left(document):
    """Paint over the left key view, as with a brush."""
    left = document.nodeByName("Model sheet: Hero").childNodes()[-2]
    x, y, width, _ = left.bounds().getRect()
    left.setPixelData(QByteArray(PAINT * (width * 4)), x, y + 20, width, 4)
    document.refreshProjection()
    yield after(0.5)


def tree(document):
    """Names of all layers, each with those in it; no thing of an artist's may be lost."""

    def below(node):
        return [[child.name(), child.type(), below(child)] for child in node.childNodes()[::-1]]

    return below(document.rootNode())


def walks(document):
    """The animated layers of each view, the topmost group first."""
    group = document.rootNode().childNodes()[-1]
    return {one.name(): one.childNodes()[::-1] for one in group.childNodes()[::-1]}


def key_frames(document):
    return {
        view: {
            layer.name(): [time for time in range(40) if layer.hasKeyframeAtTime(time)]
            for layer in layers
        }
        for view, layers in walks(document).items()
    }


def corrected(document):
    """Whether the paint of the correction is in the first walking frame of the left view."""
    layer = walks(document)["left"][0]
    pixels = bytes(layer.pixelDataAtTime(0, 0, *CANVAS, 0))
    return PAINT in [pixels[at : at + 4] for at in range(0, len(pixels), 4)]


def fits(driver):
    """Whether the form is on the screen, and the names of widgets that are cut."""
    form = driver.child("modelsheet_animate_form")
    screen = form.screen().availableGeometry()
    cut = [
        one.objectName() or type(one).__name__
        for one in form.findChildren(QWidget, options=Qt.FindDirectChildrenOnly)
        if one.isVisible() and not form.rect().contains(one.geometry())
    ]
    return [screen.contains(form.frameGeometry()), [form.width(), form.height()], cut]
