"""Results are applied where they might do harm: with another document in front, above a locked
layer, in the midst of an animation, in other colours, and into a document without layers. They are
seen on the canvas before, found again in a file that is opened again, and painted by places.

APPLY_COLOURS: the colour models and depths of the documents to try.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path

from krita import Krita, Selection
from PyQt5.QtWidgets import QTreeView

ROAD = runpy.run_path(str(Path(__file__).with_name("road.py")))
after, notice, rectangle = ROAD["after"], ROAD["notice"], ROAD["rectangle"]
SELECTION = (20, 30, 90, 80)
ZOOM = 1.37


def steps(driver):
    yield from ROAD["arrange_window"](driver)
    yield from previewed(driver)
    yield from into_the_active_layer(driver)
    yield from behind_another(driver)
    yield from found_again(driver)
    yield from too_large_a_sheet(driver)
    yield from by_places(driver)
    yield from above_a_locked_layer(driver)
    yield from amid_an_animation(driver)
    for colours in os.environ["APPLY_COLOURS"].split():
        document = yield from create(driver, colours, *colours.split("-"))
        yield from generate(driver)
        yield from judge(driver, document, colours)
        yield from leave(document)
    yield from without_layers(driver)


def previewed(driver):
    """The preview shows on the screen what applying then shows, at any zoom and offset."""
    document = yield from create(driver, "previewed")
    select(document)
    yield after(0.5)
    canvas_ = driver.window.activeView().canvas()
    yield from generate(driver)
    yield lambda: is_previewed(driver)
    driver.screenshot(driver.window.qwindow(), "preview")
    places = []
    for zoom in (1.0, 2.5, ZOOM):
        canvas_.setZoomLevel(zoom)
        yield after(1.0)
        places.append((zoom, *middle_of_preview(driver)))
    before = document.modified(), names(document)
    driver.report["preview changes nothing"] = before == (document.modified(), names(document))
    canvas_.setRotation(20.0)
    yield after(1.0)
    driver.report["hidden while turned"] = not is_previewed(driver)
    canvas_.setRotation(0.0)
    yield after(0.5)
    yield from apply(driver)
    driver.report["hidden once applied"] = not is_previewed(driver)
    driver.report["previewed as applied"] = []
    for zoom, place, colour in places:
        canvas_.setZoomLevel(zoom)
        yield after(1.0)
        shot = driver.window.qwindow().grab().toImage()
        driver.report["previewed as applied"].append([colour, shot.pixelColor(place).name()])
    driver.report["in the layer docker"] = current_layer_in_docker(driver)
    driver.report["active after applying"] = document.activeNode().name()
    driver.screenshot(driver.window.qwindow(), "applied")
    yield from leave(document)


def into_the_active_layer(driver):
    document = yield from create(driver, "into")
    select(document)
    yield after(0.5)
    yield from generate(driver)
    layer, before = document.rootNode().childNodes()[0], canvas(document)
    document.setActiveNode(layer)
    yield after(0.5)
    results = driver.child("modelsheet_results")
    results.choose_only(results.chosen()[:1])
    known = names(document)
    yield from apply(driver, "into")
    merged = names(document) == known and canvas(document) != before
    for _ in range(2):
        Krita.instance().action("edit_undo").trigger()
        document.waitForDone()
        yield after(0.5)
    undone = canvas(document) == before and names(document) == known
    driver.report["into the active layer"] = [merged, undone, notice(driver)]
    yield from leave(document)


def behind_another(driver):
    """Painted for one document while the artist has gone on to another."""
    behind = yield from create(driver, "behind")
    yield from generate(driver)
    front = yield from create(driver, "front")
    driver.child("modelsheet_which_results").menu().actions()[1].trigger()
    results = driver.child("modelsheet_results")
    results.choose_only(results.shown()[:3])
    yield from apply(driver)
    driver.report["front has it"] = len(names(front)) - 1
    driver.report["behind untouched"] = len(names(behind)) - 1
    driver.report["front stays"] = Krita.instance().activeDocument() == front
    yield from leave(behind)
    yield from apply(driver)
    driver.report["applied though closed"] = len(names(front)) - 1
    driver.child("modelsheet_which_results").menu().actions()[0].trigger()
    yield from leave(front)


def found_again(driver):
    """Saved as .kra, closed, and opened again under another name."""
    path = driver.folder / "found.kra"
    document = yield from create(driver, "found")
    select(document)
    yield from generate(driver)
    document.setBatchmode(True)
    document.saveAs(str(path))
    yield after(2.0)
    yield from apply(driver)
    document.save()
    yield after(2.0)
    yield from leave(document)
    other = yield from create(driver, "other")
    results = driver.child("modelsheet_results")
    driver.report["not the other's"] = len(results.images())
    moved = path.rename(path.with_name("moved.kra"))
    opened = Krita.instance().openDocument(str(moved))
    driver.window.addView(opened)
    yield lambda: len(results.images()) == 3
    opened = Krita.instance().activeDocument()
    results.choose_only(results.shown()[:1])
    yield after(0.5)
    driver.screenshot(driver.window.qwindow(), "found-again")
    yield from apply(driver)
    top = opened.rootNode().childNodes()[-1]
    driver.report["found again"] = [opened.fileName(), len(names(opened)), top.bounds().getRect()]
    yield from leave(opened)
    yield from leave(other)


def too_large_a_sheet(driver):
    document = yield from create(driver, "small", side=32)
    yield from generate(driver)
    yield from apply(driver, "sheet")
    made = Krita.instance().activeDocument()
    driver.report["sheet"] = [made.width(), made.height(), names(document), notice(driver)]
    yield after(0.5)
    driver.report["beside the sheet"] = len(driver.child("modelsheet_results").images())
    driver.screenshot(driver.window.qwindow(), "sheet")
    yield from leave(made)
    yield from leave(document)


def by_places(driver):
    """Two subjects in one prompt: a place for each, made from the selection."""
    document = yield from create(driver, "places")
    driver.child("modelsheet_prompt").setText("@hero and @orc")
    yield after(0.3)
    driver.report["places"] = [driver.child("modelsheet_places").text()]
    driver.screenshot(driver.docker(), "places-missing")
    for subject, left in (("hero", 20), ("orc", 140)):
        selection = Selection()
        selection.select(left, 40, 80, 120, 255)
        document.setSelection(selection)
        yield after(0.5)
        driver.child(f"modelsheet_place_{subject}").click()
        yield after(1.5)
    driver.report["places"] += [driver.child("modelsheet_places").text(), names(document)]
    driver.screenshot(driver.window.qwindow(), "places")
    read = document.rootNode().childNodes()[-1].bounds().getRect()
    driver.report["places"].append(read)
    driver.child("modelsheet_prompt").setText("a knight")
    yield from leave(document)


def select(document):
    selection = Selection()
    selection.select(*SELECTION, 255)
    document.setSelection(selection)


def is_previewed(driver):
    return driver.docker().controller.preview.is_shown


def middle_of_preview(driver):
    """Return the place of the preview's middle in the window, and the colour shown there."""
    shown = driver.child("modelsheet_canvas_preview")
    window = driver.window.qwindow()
    place = shown.mapTo(window, shown._target.center().toPoint())
    return place, window.grab().toImage().pixelColor(place).name()


def current_layer_in_docker(driver):
    """Return the name of the current layer in Krita's layer docker, if it is in sight."""
    layers = driver.docker("KisLayerBox")
    for view in layers.findChildren(QTreeView):
        index = view.currentIndex()
        if index.isValid() and view.viewport().rect().intersects(view.visualRect(index)):
            return index.data()
    return ""


def above_a_locked_layer(driver):
    document = yield from create(driver, "locked")
    layer = document.createNode("locked", "paintlayer")
    document.rootNode().addChildNode(layer, None)
    layer.setLocked(True)
    document.setActiveNode(layer)
    yield lambda: document.activeNode() == layer
    select(document)
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


def create(driver, name, model="RGBA", depth="U8", side=256):
    created = Krita.instance().createDocument(side, side, name, model, depth, "", 72.0)
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
        "document in front": Krita.instance().activeDocument().name(),
        "selection": rectangle(selection) if selection else None,
        "zoom": driver.window.activeView().canvas().zoomLevel(),
        "time": document.currentTime(),
    }


def names(document):
    """Return the names of the layers; Krita keeps the selection among them."""
    nodes = document.rootNode().childNodes()
    return [node.name() for node in nodes if node.type() != "selectionmask"]


def canvas(document):
    document.waitForDone()
    return bytes(document.pixelData(0, 0, document.width(), document.height()))
