"""Paint into a selection on a meadow, from the canvas, and change the active layer's figure; with
sprite32 itself.
"""

from __future__ import annotations

import runpy
from pathlib import Path

from krita import Krita, Selection
from PyQt5.QtCore import QByteArray

ROAD = runpy.run_path(str(Path(__file__).with_name("road.py")))
after = ROAD["after"]
SIZE = (128, 96)
SELECTED = (50, 40, 29, 34)
SKY, GRASS = (200, 140, 90, 255), (50, 120, 60, 255)  # BGRA


def steps(driver):
    yield from ROAD["arrange_window"](driver)
    document = yield from open_meadow(driver)
    before = ground(document)
    yield from paint(driver, "canvas", 100)
    yield from apply(driver)
    driver.report["figure"] = list(new_layer(document).bounds().getRect())
    driver.report["around the selection"] = changed_outside(before, ground(document))
    driver.screenshot(driver.window.qwindow(), "into-the-selection")
    document.setSelection(None)
    document.setActiveNode(new_layer(document))
    yield lambda: document.activeNode() == new_layer(document)
    yield from paint(driver, "layer", 20)
    driver.screenshot(driver.window.qwindow(), "from-the-layer")
    started = document.activeNode()
    yield from apply(driver)
    driver.report["layer"] = list(started.bounds().getRect())
    driver.report["changed layer"] = list(new_layer(document).bounds().getRect())
    driver.report["notice"] = ROAD["notice"](driver)


def open_meadow(driver):
    krita = Krita.instance()
    created = krita.createDocument(*SIZE, "meadow", "RGBA", "U8", "", 72.0)
    driver.window.addView(created)
    yield lambda: krita.activeDocument() is not None
    document = krita.activeDocument()
    node = document.createNode("meadow", "paintlayer")
    pixels = bytes(SKY) * (SIZE[0] * 48) + bytes(GRASS) * (SIZE[0] * 48)
    node.setPixelData(QByteArray(pixels), 0, 0, *SIZE)
    document.rootNode().addChildNode(node, None)
    selection = Selection()
    selection.select(*SELECTED, 255)
    document.setSelection(selection)
    document.refreshProjection()
    document.waitForDone()
    driver.window.activeView().canvas().setZoomLevel(5.0)
    yield after(0.5)
    return document


def paint(driver, source, strength):
    settings = driver.docker().controller.panel.box.advanced
    settings.source.setCurrentIndex(settings.source.findData(source))
    driver.child("modelsheet_strength").setValue(strength)
    driver.child("modelsheet_prompt").setText("human knight holding sword")
    driver.child("modelsheet_count").setValue(1)
    driver.child("modelsheet_random").setChecked(False)
    driver.child("modelsheet_seed").setValue(3)
    shown = len(driver.child("modelsheet_results").images())
    driver.child("modelsheet_generate").click()
    yield lambda: len(driver.child("modelsheet_results").images()) > shown
    yield after(0.3)


def apply(driver):
    driver.child("modelsheet_apply").click()
    yield lambda: not ROAD["is_applying"](driver)
    yield after(1.0)


def new_layer(document):
    return document.rootNode().childNodes()[-1]


def ground(document):
    document.waitForDone()
    return bytes(document.pixelData(0, 0, *SIZE))


def changed_outside(before, now):
    left, top, width, height = SELECTED
    return sum(
        before[4 * index : 4 * index + 4] != now[4 * index : 4 * index + 4]
        for index in range(SIZE[0] * SIZE[1])
        if not (left <= index % SIZE[0] < left + width and top <= index // SIZE[0] < top + height)
    )
