"""Results are applied where they might do harm: into a document behind another one, above a locked
layer, in the midst of an animation, in other colours, and into a document without layers.

APPLY_COLOURS: the colour models and depths of the documents to try.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path

from krita import Krita, Selection

ROAD = runpy.run_path(str(Path(__file__).with_name("road.py")))
after, notice, rectangle = ROAD["after"], ROAD["notice"], ROAD["rectangle"]
SELECTION = (20, 30, 90, 80)
ZOOM = 1.37


def steps(driver):
    yield from ROAD["arrange_window"](driver)
    yield from behind_another(driver)
    yield from above_a_locked_layer(driver)
    yield from amid_an_animation(driver)
    for colours in os.environ["APPLY_COLOURS"].split():
        document = yield from create(driver, colours, *colours.split("-"))
        yield from generate(driver)
        yield from judge(driver, document, colours)
        yield from leave(document)
    yield from without_layers(driver)


def behind_another(driver):
    """Painted for one document while the artist has gone on to another."""
    behind = yield from create(driver, "behind")
    yield from generate(driver)
    front = yield from create(driver, "front")
    before = names(front)
    yield from apply(driver)
    driver.report["behind"] = len(names(behind)) - 1
    driver.report["front untouched"] = names(front) == before
    driver.report["front stays"] = Krita.instance().activeDocument() == front
    yield from generate(driver)
    yield from leave(front)
    yield from apply(driver)
    driver.report["closed"] = notice(driver)
    yield from leave(behind)


def above_a_locked_layer(driver):
    document = yield from create(driver, "locked")
    layer = document.createNode("locked", "paintlayer")
    document.rootNode().addChildNode(layer, None)
    layer.setLocked(True)
    document.setActiveNode(layer)
    yield lambda: document.activeNode() == layer
    selection = Selection()
    selection.select(*SELECTION, 255)
    document.setSelection(selection)
    driver.window.activeView().canvas().setZoomLevel(ZOOM)
    yield from generate(driver)
    for how in ("layers", "sheet", "frames"):
        yield from judge(driver, document, f"locked, {how}", how)
    yield from leave(document)


def amid_an_animation(driver):
    document = yield from create(driver, "animated")
    layer = document.rootNode().childNodes()[0]
    document.setActiveNode(layer)
    yield after(0.5)
    layer.enableAnimation()
    for time in (0, 4):
        document.setCurrentTime(time)
        yield after(0.5)
        Krita.instance().action("add_blank_frame").trigger()
        yield after(0.5)
    document.setFullClipRangeEndTime(10)
    yield from generate(driver)
    for how in ("layers", "frames"):
        yield from judge(driver, document, f"animated, {how}", how)
    yield from leave(document)


def without_layers(driver):
    document = yield from create(driver, "empty")
    for node in document.rootNode().childNodes():
        node.remove()
    yield after(0.5)
    yield from generate(driver)
    yield from apply(driver)
    driver.report["without layers"] = len(document.rootNode().childNodes())
    yield from leave(document)


def create(driver, name, model="RGBA", depth="U8"):
    created = Krita.instance().createDocument(256, 256, name, model, depth, "", 72.0)
    driver.window.addView(created)
    yield lambda: Krita.instance().activeDocument() == created
    yield after(0.5)
    return Krita.instance().activeDocument()


def leave(document):
    document.setModified(False)
    document.close()
    yield after(0.5)


def generate(driver):
    results = driver.child("modelsheet_results")
    expected = len(results.images()) + 3
    driver.child("modelsheet_count").setValue(3)
    driver.child("modelsheet_prompt").setText("a knight")
    driver.docker().controller.generate.generate()
    yield lambda: len(results.images()) == expected


def apply(driver, how="layers"):
    controller = driver.docker().controller
    controller.panel.apply_wanted.emit(controller.panel.results.chosen(), how)
    yield lambda: not ROAD["is_applying"](driver)
    yield after(1.0)


def judge(driver, document, label, how="layers"):
    """Say what is not as it was after applying, and then after one undo."""
    before, pixels, state = names(document), canvas(document), found(driver, document)
    yield from apply(driver, how)
    changed = [what for what, value in found(driver, document).items() if value != state[what]]
    changed += ["nothing was added"] * (names(document)[:-1] != before)
    changed += ["it cannot be seen"] * (canvas(document) == pixels)
    Krita.instance().action("edit_undo").trigger()
    document.waitForDone()
    yield after(0.5)
    changed += ["layers after undo"] * (names(document) != before)
    changed += ["canvas after undo"] * (canvas(document) != pixels)
    driver.report[label] = [notice(driver)] * bool(notice(driver)) + changed


def found(driver, document):
    """Return the state that applying must not change."""
    selection = document.selection()
    return {
        "active layer": document.activeNode().uniqueId().toString(),
        "document in front": Krita.instance().activeDocument().name(),
        "selection": rectangle(selection) if selection else None,
        "zoom": driver.window.activeView().canvas().zoomLevel(),
        "time": document.currentTime(),
    }


def names(document):
    return [node.name() for node in document.rootNode().childNodes()]


def canvas(document):
    document.waitForDone()
    return bytes(document.pixelData(0, 0, document.width(), document.height()))
