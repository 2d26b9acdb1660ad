"""Pictures become one animated layer in a real Krita, without a backend. FRAMES_COLOURS: the colour
models and depths of the documents to try.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path

from krita import Krita, Selection

ROAD = runpy.run_path(str(Path(__file__).with_name("road.py")))
after = ROAD["after"]
SIDE, FRAMES, CENTRE = 100, 4, (300, 130)  # it reaches beyond the canvas and over Krita's tiles
SELECTION = (20, 30, 40, 50)
ZOOM = 0.5


def steps(driver):
    krita = Krita.instance()
    for colours in os.environ["FRAMES_COLOURS"].split():
        model, depth = colours.split("-")
        created = krita.createDocument(320, 256, "frames", model, depth, "", 72.0)
        view = driver.window.addView(created)
        yield lambda: krita.activeDocument() is not None
        driver.report[colours] = {}
        yield from one(driver.report[colours], view)
        krita.activeDocument().setModified(False)
        krita.activeDocument().close()
        yield lambda: krita.activeDocument() is None
    driver.report["documents"] = len(krita.documents())


def one(report, view):
    from modelsheet_krita.document import document as document_module
    from modelsheet_krita.image import Image, Placement

    document = Krita.instance().activeDocument()
    selection = Selection()
    selection.select(*SELECTION, 255)
    document.setSelection(selection)
    view.canvas().setZoomLevel(ZOOM)
    yield after(1.0)
    zoom = view.canvas().zoomLevel()
    before = [node.name() for node in document.rootNode().childNodes()]
    greys = [bytes((50 * n + 50,) * 3 + (255,)) for n in range(FRAMES)]
    pictures = [Image("", SIDE, SIDE, grey * (SIDE * SIDE)) for grey in greys]
    for _ in document_module.OpenDocument(document, view).insert_frames(
        "walk", pictures, Placement(*CENTRE)
    ):
        yield
    yield after(1.0)
    layer = document.rootNode().childNodes()[-1]
    report["layer"] = [layer.name(), layer.type(), layer.animated()]
    report["keys"] = [layer.hasKeyframeAtTime(time) for time in range(FRAMES + 1)]
    report["native"] = [layer.colorModel(), layer.colorDepth()] == [
        document.colorModel(),
        document.colorDepth(),
    ]
    report["frames"] = [shown(layer, time) for time in range(FRAMES)]
    report["on the canvas"] = any(bytes(document.pixelData(*CENTRE, 1, 1)))
    report["made active"] = document.activeNode() == layer
    report["selection"] = list(ROAD["rectangle"](document.selection()))
    report["zoom kept"] = view.canvas().zoomLevel() == zoom
    report["time kept"] = document.currentTime() == 0
    Krita.instance().action("edit_undo").trigger()
    document.waitForDone()
    yield after(0.5)
    report["undone in one step"] = [n.name() for n in document.rootNode().childNodes()] == before


def shown(layer, time):
    """The first byte of the middle, and how many pixels of a row are not clear."""
    row = bytes(layer.pixelDataAtTime(0, CENTRE[1], 512, 1, time))
    size = len(row) // 512
    pixels = [row[at : at + size] for at in range(0, len(row), size)]
    return [pixels[CENTRE[0]][0], sum(any(pixel) for pixel in pixels)]
