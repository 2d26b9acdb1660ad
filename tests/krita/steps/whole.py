"""The whole docker in a real Krita: every way to learn, the queue, results, and a lost backend.

The document has a group of two layers, an animated layer, and one that only a selection is wanted
of.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
from pathlib import Path

from krita import Krita, Selection
from PyQt5.QtCore import QByteArray

ROAD = runpy.run_path(str(Path(__file__).with_name("road.py")))
after, is_shown = ROAD["after"], ROAD["is_shown"]
SERVER = Path(os.environ["HOME"]) / "modelsheet/run/server.json"
COLOURS = [(20, 120, 240), (200, 60, 20), (60, 180, 40)]  # BGR


def steps(driver):
    yield from ROAD["arrange_window"](driver)
    document = yield from ROAD["open_document"](driver)
    layers = yield from make_layers(document)
    yield from learn_group(driver, document, layers["outfit"])
    yield from learn_frames(driver, document, layers["walk"])
    yield from learn_selection(driver, document, layers["wide"])
    yield from pause_and_resume(driver)
    yield from generate_meanwhile(driver)
    yield from finish(driver)
    yield from compare(driver, document)
    yield from apply_several(driver, document)
    yield from save_and_reopen(driver)
    yield from lose_the_backend(driver)
    yield from go_remote(driver)


def make_layers(document):
    root = document.rootNode()
    group = document.createGroupLayer("outfit")
    root.addChildNode(group, None)
    layers = {"outfit": group}
    for name, place in (("coat", 0), ("hat", 1)):
        fill(document, name, group, 10 + 60 * place, COLOURS[place])
    layers["wide"] = fill(document, "wide", root, 10, COLOURS[2], width=200)
    layers["walk"] = fill(document, "walk", root, 10, COLOURS[0])
    yield after(0.5)
    yield from animate(document, layers["walk"])
    document.setModified(False)
    return layers


def fill(document, name, parent, x, colour, *, width=40):
    node = document.createNode(name, "paintlayer")
    node.setPixelData(QByteArray(bytes((*colour, 255)) * (width * 60)), x, 100, width, 60)
    parent.addChildNode(node, None)
    return node


def animate(document, layer):
    """Key frames can be made by Krita's own actions only."""
    document.setActiveNode(layer)
    yield lambda: document.activeNode() == layer
    layer.enableAnimation()
    for time_, x in ((0, 10), (4, 60), (8, 110)):
        document.setCurrentTime(time_)
        yield after(0.5)
        Krita.instance().action("add_blank_frame").trigger()
        yield after(0.5)
        raw = QByteArray(bytes((*COLOURS[0], 255)) * 1200)
        layer.setPixelData(raw, x, 100, 30, 40)
    document.setFullClipRangeEndTime(10)
    document.setCurrentTime(0)
    yield lambda: layer.hasKeyframeAtTime(8)


def open_form(driver, document, layer):
    document.setActiveNode(layer)
    yield lambda: document.activeNode() == layer
    yield lambda: [n.name() for n in driver.window.activeView().selectedNodes()] == [layer.name()]
    Krita.instance().action("modelsheet_learn_subject").trigger()
    yield lambda: driver.docker().controller.learn.dialog.isVisible()
    yield after(0.2)


def form_of(driver):
    return driver.docker().controller.learn.dialog


def captions(driver):
    return [caption for _, caption in form_of(driver).images.chosen()]


def send(driver, name, preset="quick"):
    form = form_of(driver)
    form.name.setText(name)
    yield lambda: form.class_noun.currentText() != ""
    form.preset.setCurrentIndex(form.preset.findData(preset))
    form.learn.click()
    yield lambda: not form.isVisible()


def learn_group(driver, document, group):
    yield from open_form(driver, document, group)
    driver.report["group as one"] = captions(driver)
    form_of(driver).groups.setCurrentIndex(1)
    form_of(driver).groups.activated.emit(1)
    yield lambda: len(captions(driver)) == 2
    driver.report["each in the group"] = captions(driver)
    driver.screenshot(form_of(driver), "form-group")
    yield from send(driver, "Outfit")
    yield lambda: driver.child("modelsheet_subjects").count() == 1


def learn_frames(driver, document, layer):
    yield from open_form(driver, document, layer)
    driver.report["frames"] = captions(driver)
    sizes = {(one.width, one.height) for one in driver.docker().controller.learn.images.all}
    driver.report["frame sizes"] = sorted(sizes)
    driver.screenshot(form_of(driver), "form-frames")
    form_of(driver).reject()


def learn_selection(driver, document, layer):
    selection = Selection()
    selection.select(50, 110, 64, 32, 255)
    document.setSelection(selection)
    yield after(0.3)
    yield from open_form(driver, document, layer)
    picture = driver.docker().controller.learn.images.all[0]
    driver.report["inside the selection"] = [picture.width, picture.height]
    driver.screenshot(form_of(driver), "form-selection")
    document.setSelection(None)
    yield from send(driver, "Wide", preset="thorough")


def card(driver):
    return next(iter(driver.docker().controller.panel.jobs.cards.values()))


def pause_and_resume(driver):
    yield (
        lambda: (
            driver.docker().controller.panel.jobs.cards and "step" in card(driver)._detail.text()
        )
    )
    yield lambda: card(driver).previews.count() > 1 and not card(driver).curve.isHidden()
    driver.screenshot(driver.docker(), "learning")
    card(driver)._pause.click()
    yield lambda: "paused" in card(driver)._detail.text()
    driver.report["paused"] = card(driver)._detail.text()
    card(driver)._pause.click()
    yield lambda: card(driver).row.can_finish


def generate_meanwhile(driver):
    driver.child("modelsheet_prompt").setText("@outfit in the rain")
    driver.child("modelsheet_count").setValue(3)
    Krita.instance().action("modelsheet_generate").trigger()
    yield lambda: len(driver.child("modelsheet_results").images()) == 3
    yield lambda: card(driver).row.can_finish
    driver.report["learning goes on"] = card(driver)._title.text()


def finish(driver):
    card(driver)._stop.click()
    driver.docker().controller.jobs.question._finish.click()
    yield lambda: driver.child("modelsheet_subjects").count() == 2
    yield lambda: not driver.docker().controller.panel.jobs.cards
    driver.report["finished early"] = driver.child("modelsheet_subjects").item(0).text()


def compare(driver, document):
    document.setModified(False)
    results = driver.child("modelsheet_results")
    keys = results.chosen()
    results.clearSelection()
    Krita.instance().action("modelsheet_next_result").trigger()
    driver.report["next chooses"] = results.chosen() == keys[:1]
    results.pointed_at.emit(keys[1])
    popup = driver.docker().controller.panel.popup
    driver.report["compared"] = [caption.text() for caption in popup.captions]
    driver.screenshot(popup, "compare")
    results.pointed_at.emit(None)
    driver.report["compare touched the document"] = document.modified()
    yield after(0.1)


def apply_several(driver, document):
    before = names(document)
    results = driver.child("modelsheet_results")
    results.choose(results.images()[0].data(257))
    driver.docker().controller.panel.apply_wanted.emit(results.chosen(), "sheet")
    yield lambda: not ROAD["is_applying"](driver)
    yield after(0.5)
    driver.report["sheet"] = document.rootNode().childNodes()[-1].bounds().getRect()[2:]
    Krita.instance().action("modelsheet_apply").trigger()
    yield lambda: not ROAD["is_applying"](driver)
    yield after(0.5)
    driver.report["group"] = len(document.rootNode().childNodes()[-1].childNodes())
    for _ in range(2):
        Krita.instance().action("edit_undo").trigger()
        document.waitForDone()
        yield after(0.4)
    driver.report["two undos undo both"] = names(document) == before
    Krita.instance().action("modelsheet_apply").trigger()
    yield lambda: not ROAD["is_applying"](driver)
    yield after(0.5)


def names(document):
    return [node.name() for node in document.rootNode().childNodes()]


def save_and_reopen(driver):
    krita = Krita.instance()
    document, path = krita.activeDocument(), str(driver.folder / "saved.kra")
    document.setBatchmode(True)
    driver.report["saved"] = document.saveAs(path)
    document.waitForDone()
    document.close()
    yield lambda: krita.activeDocument() is None
    driver.window.addView(krita.openDocument(path))
    yield lambda: krita.activeDocument() is not None
    yield after(0.5)
    content = bytes(krita.activeDocument().annotation("modelsheet/subjects"))
    driver.report["remembered"] = [one["name"] for one in json.loads(content)["subjects"]]
    driver.child("modelsheet_prompt").setText("@outfit again")
    driver.child("modelsheet_count").setValue(1)
    driver.child("modelsheet_generate").click()
    yield lambda: len(driver.child("modelsheet_results").images()) == 4
    driver.child("modelsheet_apply").click()
    yield lambda: not ROAD["is_applying"](driver)
    yield after(0.5)
    driver.report["continued"] = names(krita.activeDocument())[-1].split(" (")[0]


def lose_the_backend(driver):
    status = driver.child("modelsheet_status")
    first = json.loads(SERVER.read_text())["pid"]
    os.kill(first, signal.SIGKILL)
    yield lambda: not status.text().startswith("Ready")
    driver.report["lost"] = status.text()
    yield lambda: status.text().startswith("Ready")
    driver.report["came back as another"] = json.loads(SERVER.read_text())["pid"] != first
    yield lambda: driver.child("modelsheet_subjects").count() == 2


def go_remote(driver):
    told = json.loads(SERVER.read_text())
    docker, status = driver.docker(), driver.child("modelsheet_status")
    docker.controller.panel.backend_wanted.emit("settings")
    yield lambda: is_shown(driver, "modelsheet_backend_form")
    form = driver.child("modelsheet_backend_form")
    form.remote.setChecked(True)
    form.url.setText(told["url"])
    form.token.setText("wrong")
    driver.screenshot(form, "backend")
    form.ok.click()
    yield lambda: status.text() == "Backend: not connected"
    driver.report["wrong token"] = docker.controller.panel.connection_notice.text.text()
    docker.controller.panel.backend_wanted.emit("settings")
    yield lambda: is_shown(driver, "modelsheet_backend_form")
    form = driver.child("modelsheet_backend_form")
    form.token.setText(told["token"])
    form.ok.click()
    yield lambda: status.text().startswith("Ready")
    docker.controller.panel.backend_wanted.emit("report")
    driver.report["report"] = docker.controller.panel.notice.text.text()
    driver.report["token in document"] = told["token"] in str(
        [
            bytes(Krita.instance().activeDocument().annotation(kind))
            for kind in Krita.instance().activeDocument().annotationTypes()
        ]
    )
