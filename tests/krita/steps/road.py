"""From layers to a new layer, as an artist goes it: select, learn, generate, apply, undo.

ROAD_DEPTH is the document's channel depth; ROAD_PICTURES a folder of PNG files for the layers, else
five are painted here.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from krita import Krita
from PyQt5.QtCore import QByteArray, QRect
from PyQt5.QtGui import QColor, QImage, QPainter
from PyQt5.QtWidgets import QDockWidget, QProgressBar

DEPTH = os.environ.get("ROAD_DEPTH", "U8")
SCALE = 1 if DEPTH == "U8" else 257  # what 8-bit values are in 16 bits
CANVAS = 256
SRGB = "sRGB-elle-V2-srgbtrc.icc"
SELECTION = QRect(150, 40, 60, 80)


def steps(driver):
    krita = Krita.instance()
    yield from arrange_window(driver)
    document = yield from open_document(driver)
    names = add_layers(document)
    document.waitForDone()
    yield from choose_layers(driver, document, names)
    before = fingerprints(document)
    document.setModified(False)
    yield from learn(driver)
    driver.report["document_touched_by_learning"] = document.modified()
    select(document)
    yield after(0.5)
    document.setModified(False)
    before = fingerprints(document)
    yield from generate(driver)
    driver.report["document_touched_by_generating"] = document.modified()
    driver.child("modelsheet_apply").click()
    yield lambda: not is_applying(driver)
    yield after(1.0)
    driver.report["active"] = document.activeNode().name()
    driver.report["selection_kept"] = rectangle(document.selection()) == SELECTION.getRect()
    now = fingerprints(document)
    driver.report["layers_untouched"] = {key: now.get(key) for key in before} == before
    driver.report["group"] = describe_group(document)
    driver.report["shown_colour"] = shown_colour(document)
    driver.report["notice"] = notice(driver)
    driver.screenshot(driver.window.qwindow(), "applied")
    krita.action("edit_undo").trigger()
    document.waitForDone()
    yield after(0.3)
    driver.report["undone_in_one_step"] = fingerprints(document) == before
    yield from photograph_docker(driver)


def arrange_window(driver):
    window = driver.window.qwindow()
    window.setGeometry(0, 0, 1600, 1000)
    docker = driver.docker()
    for other in window.findChildren(QDockWidget):
        if other.objectName() not in ("modelsheet_krita", "KisLayerBox", "ToolBox"):
            other.hide()
    docker.setVisible(True)
    docker.raise_()
    layers = window.findChild(QDockWidget, "KisLayerBox")
    window.resizeDocks([docker], [320], 1)
    window.resizeDocks([layers, docker], [200, 700], 2)
    yield lambda: driver.child("modelsheet_status").text().startswith("Ready")


def open_document(driver):
    krita = Krita.instance()
    created = krita.createDocument(CANVAS, CANVAS, "road", "RGBA", DEPTH, "", 72.0)
    driver.window.addView(created)
    yield lambda: krita.activeDocument() is not None
    return krita.activeDocument()


def add_layers(document):
    """Put five layers into the document; return their names."""
    folder = os.environ.get("ROAD_PICTURES", "")
    pictures = (
        [(path.stem, QImage(str(path))) for path in sorted(Path(folder).glob("*.png"))[:5]]
        if folder
        else [(f"view {index}", figure(index)) for index in range(5)]
    )
    for index, (name, image) in enumerate(pictures):
        add_layer(document, name, image, 10 + 40 * index, 100)
    return [name for name, _ in pictures]


def figure(index):
    """A knight of a sort: head, body, and a shield whose side tells the views apart."""
    image = QImage(32, 32, QImage.Format.Format_ARGB32)
    image.fill(0)
    painter = QPainter(image)
    painter.fillRect(12, 3, 8, 8, QColor(224, 172, 105))
    painter.fillRect(10, 11, 12, 12, QColor(40, 90, 200))
    painter.fillRect(11, 23, 4, 7, QColor(90, 60, 30))
    painter.fillRect(17, 23, 4, 7, QColor(90, 60, 30))
    painter.fillRect(4 + 5 * index, 12, 4, 9, QColor(200, 30, 30))
    painter.end()
    return image


def add_layer(document, name, image, x, y):
    image = image.convertToFormat(QImage.Format.Format_ARGB32)
    pixels = image.constBits().asstring(image.sizeInBytes())
    if SCALE != 1:
        pixels = b"".join(bytes((value, value)) for value in pixels)
    node = document.createNode(name, "paintlayer")
    node.setPixelData(QByteArray(pixels), x, y, image.width(), image.height())
    document.rootNode().addChildNode(node, None)


def select(document):
    from krita import Selection

    selection = Selection()
    selection.select(*SELECTION.getRect(), 255)
    document.setSelection(selection)


def choose_layers(driver, document, names):
    """Remove the ground, then select the five layers by Krita's own action."""
    document.nodeByName("Background").remove()
    document.waitForDone()
    document.setActiveNode(document.rootNode().childNodes()[-1])
    yield after(0.5)
    driver.report["layers"] = [node.name() for node in document.rootNode().childNodes()]
    Krita.instance().action("select_all_layers").trigger()
    yield lambda: len(driver.window.activeView().selectedNodes()) == len(names)


def learn(driver):
    Krita.instance().action("modelsheet_learn_subject").trigger()
    yield lambda: is_shown(driver, "modelsheet_learn_form")
    form = driver.child("modelsheet_learn_form")
    form.name.setText("Hero")
    form.class_noun.setEditText("girl")
    yield lambda: "human woman" in form.noun_hint.text()
    yield lambda: form.learn.isEnabled()
    form.preset.setCurrentIndex(form.preset.findData("quick"))
    driver.report["remarks"] = form.remarks.text.text()
    driver.report["pictures_sent"] = form.images.count()
    driver.screenshot(form, "form")
    driver.child("modelsheet_send", form).click()
    docker = driver.docker()
    subjects = driver.child("modelsheet_subjects")
    yield lambda: (  # a short job may be done before its bar was seen
        subjects.count() == 1
        or any(bar.value() >= 200 for bar in docker.findChildren(QProgressBar))
    )
    driver.screenshot(driver.window.qwindow(), "learning")
    yield lambda: subjects.count() == 1
    yield lambda: not docker.findChildren(QProgressBar)
    driver.report["subject"] = driver.child("modelsheet_subjects").item(0).text()


def generate(driver):
    driver.child("modelsheet_prompt").setText("@hero holding sword")
    driver.child("modelsheet_count").setValue(3)
    driver.child("modelsheet_random").setChecked(False)
    driver.child("modelsheet_seed").setValue(7)
    driver.child("modelsheet_generate").click()
    yield lambda: len(driver.child("modelsheet_results").images()) == 3
    yield after(0.3)
    driver.screenshot(driver.window.qwindow(), "generated")


def is_applying(driver):
    return any(task.is_running for task in driver.docker().controller.generate.apply_tasks)


def describe_group(document):
    top = document.rootNode().childNodes()[-1]
    layers = [
        {
            "name": node.name(),
            "type": node.type(),
            "visible": node.visible(),
            "bounds": node.bounds().getRect(),
            "depth": node.colorDepth(),
        }
        for node in top.childNodes()
    ]
    return {"name": top.name(), "type": top.type(), "layers": layers}


def shown_colour(document):
    """Return the canvas colour in the middle of the selection as 8-bit sRGB: B, G, R, A.

    Nothing is refreshed here: what Krita has not painted, the artist does not see either.
    """
    middle = SELECTION.center()
    raw = document.pixelData(middle.x(), middle.y(), 1, 1)
    converted = Krita.instance().createDocument(1, 1, "colour", "RGBA", "U8", SRGB, 72.0)
    node = converted.createNode("colour", "paintlayer")
    node.setColorSpace("RGBA", DEPTH, document.colorProfile())
    node.setPixelData(raw, 0, 0, 1, 1)
    node.setColorSpace("RGBA", "U8", SRGB)
    colour = list(bytes(node.pixelData(0, 0, 1, 1)))
    converted.setModified(False)
    converted.close()
    return colour


def fingerprints(document):
    """Each top layer's name and the hash of all its pixels."""
    document.waitForDone()
    return {
        f"{place} {node.name()}": hashlib.sha256(
            bytes(node.projectionPixelData(0, 0, CANVAS, CANVAS))
        ).hexdigest()
        for place, node in enumerate(document.rootNode().childNodes())
    }


def photograph_docker(driver):
    docker = driver.docker()
    docker.setFloating(True)
    for width in (260, 500):
        docker.resize(width, 800)
        yield after(0.4)
        driver.screenshot(docker, f"docker-{width}")
        panel = driver.child("modelsheet_generate").parentWidget()
        driver.report[f"cut_at_{width}"] = panel.width() > docker.width()


def is_shown(driver, name):
    try:
        return driver.child(name).isVisible()
    except LookupError:
        return False


def notice(driver):
    shown = driver.child("modelsheet_notice")
    return shown.text.text() if shown.isVisible() else ""


def rectangle(selection):
    return (selection.x(), selection.y(), selection.width(), selection.height())


def after(seconds):
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end
