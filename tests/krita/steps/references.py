"""Try a subject at once, paint it while it is learnt, cancel, learn it, paint it in each way."""

from __future__ import annotations

import json
import os
import runpy
import signal
from pathlib import Path

from krita import Krita
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest

ROAD = runpy.run_path(str(Path(__file__).with_name("road.py")))
after, is_shown, notice = ROAD["after"], ROAD["is_shown"], ROAD["notice"]
SERVER = Path(os.environ["HOME"]) / "modelsheet/run/server.json"


def steps(driver):
    yield from ROAD["arrange_window"](driver)
    document = yield from ROAD["open_document"](driver)
    names = ROAD["add_layers"](document)
    document.waitForDone()
    yield from ROAD["choose_layers"](driver, document, names)
    yield from try_it(driver)
    yield from apply_first(driver, document)
    yield from paint_while_it_learns(driver)
    yield from cancel(driver)
    yield from learn_from_list(driver)
    yield from paint_each_way(driver)
    yield from go_and_come_back(driver)


def try_it(driver):
    Krita.instance().action("modelsheet_learn_subject").trigger()
    yield lambda: is_shown(driver, "modelsheet_learn_form")
    form = driver.child("modelsheet_learn_form")
    QTest.keyClicks(form.name, "Hero")
    QTest.keyClicks(form.class_noun.lineEdit(), "cat")
    form.class_noun.lineEdit().clearFocus()
    yield lambda: form.learn.isEnabled()
    driver.report["sprite32 says"] = form.try_now.toolTip()
    driver.screenshot(form, "form-sprite32")
    QTest.keyClicks(form.base_model, "klein")
    yield lambda: form.try_now.isEnabled()
    driver.report["pictures sent"] = form.images.count()
    form.preset.setCurrentIndex(form.preset.findData("quick"))
    QTest.mouseClick(form.try_now, Qt.LeftButton)
    yield lambda: "First pictures" in form.remarks.text.text()
    driver.report["said in the form"] = form.remarks.text.text()
    yield from painted(driver, 1)
    driver.screenshot(form, "form-tried")
    driver.screenshot(driver.window.qwindow(), "tried")
    driver.report["tried"] = row(driver)
    recipe = newest(driver)
    driver.report["painted by"] = [
        recipe["base_model"],
        recipe["text"].partition(",")[0],
        recipe["request"]["subjects_by"],
    ]


def apply_first(driver, document):
    before = len(document.rootNode().childNodes())
    results = driver.child("modelsheet_results")
    results.choose(results.images()[0].data(257))
    QTest.mouseClick(driver.child("modelsheet_apply"), Qt.LeftButton)
    yield after(0.3)
    yield lambda: not ROAD["is_applying"](driver)
    yield after(0.5)
    driver.report["layers applied"] = len(document.rootNode().childNodes()) - before


def paint_while_it_learns(driver):
    form = driver.child("modelsheet_learn_form")
    QTest.mouseClick(form.learn, Qt.LeftButton)
    yield lambda: not is_shown(driver, "modelsheet_learn_form")
    yield lambda: cards(driver) and "step" in cards(driver)[0]._detail.text()
    count = len(driver.child("modelsheet_results").images())
    prompt = driver.child("modelsheet_prompt")
    prompt.setFocus()
    prompt.setText("")
    QTest.keyClicks(prompt, "@hero in the snow")
    yield after(0.3)
    driver.screenshot(driver.docker(), "learning")
    yield from generate(driver)
    yield from painted(driver, count + 1)
    recipe = newest(driver)
    driver.report["painted while it learns"] = [
        recipe["base_model"],
        recipe["request"]["subjects_by"],
        *(card._title.text() for card in cards(driver)),
    ]
    driver.screenshot(driver.docker(), "painted-while-learning")


def cancel(driver):
    docker = driver.docker()
    docker.controller.panel.job_wanted.emit(
        next(iter(docker.controller.panel.jobs.cards)), "cancel"
    )
    yield lambda: not cards(driver)
    yield after(0.5)
    driver.report["after cancelling"] = row(driver)
    choose(driver, "Export")
    yield lambda: "not learnt yet" in notice(driver)
    driver.report["export says"] = notice(driver)
    driver.screenshot(docker, "not-learnt")
    choose(driver, "References and Report")
    yield lambda: docker.controller.subjects.report is not None
    yield after(0.3)
    driver.screenshot(docker.controller.subjects.report, "report-not-learnt")
    docker.controller.subjects.report.close()


def learn_from_list(driver):
    choose(driver, "Learn…")
    yield lambda: is_shown_form(driver)
    form = driver.docker().controller.learn.dialog
    yield lambda: form.learn.isEnabled()
    driver.report["pictures to learn"] = form.images.count()
    driver.report["base model"] = form.base_model.currentData()
    form.preset.setCurrentIndex(form.preset.findData("quick"))
    driver.screenshot(form, "form-from-list")
    QTest.mouseClick(form.learn, Qt.LeftButton)
    yield lambda: cards(driver) and "step" in cards(driver)[0]._detail.text()
    first = json.loads(SERVER.read_text())["pid"]
    os.kill(first, signal.SIGKILL)
    status = driver.child("modelsheet_status")
    yield lambda: not status.text().startswith("Ready")
    yield lambda: status.text().startswith("Ready")
    yield lambda: not row(driver).count("not learnt") or cards(driver)
    driver.report["went on after the kill"] = json.loads(SERVER.read_text())["pid"] != first
    yield lambda: "not learnt" not in row(driver)
    yield lambda: not cards(driver)
    yield after(0.5)
    driver.report["learnt"] = row(driver)
    driver.screenshot(driver.docker(), "learnt")


def paint_each_way(driver):
    section = driver.docker().controller.panel.box.advanced
    section.show_expert()
    yield after(0.3)  # until the button has its place: a click goes to the widget at its old one
    ways, pictures = [], []
    for way in ("adapter", "both"):
        section.subjects_by.setCurrentIndex(section.subjects_by.findData(way))
        count = len(driver.child("modelsheet_results").images())
        driver.child("modelsheet_random").setChecked(False)
        driver.child("modelsheet_seed").setValue(3)
        yield from generate(driver)
        yield from painted(driver, count + 1)
        ways.append(newest(driver)["request"]["subjects_by"])
        pictures.append(all_results(driver)[-1].image.pixels)
    driver.report["ways"] = ways
    driver.report["pictures differ"] = pictures[0] != pictures[1]
    driver.screenshot(driver.docker(), "expert")
    choose(driver, "References and Report")
    window = driver.docker().controller.subjects
    yield lambda: window.report is not None and window.report.isVisible()
    yield after(0.3)
    driver.report["report"] = window.report.facts.text()
    driver.screenshot(window.report, "report")
    window.report.close()


def go_and_come_back(driver):
    """Export the whole subject, move it to the trash, and import it from its file."""
    controller = driver.docker().controller
    subject, path = controller.subjects.all[0], driver.folder / "hero.modelsheet"
    controller.import_export.export(subject, path, "archive")
    yield lambda: path.is_file()
    controller.subjects.discard(subject.id)
    yield lambda: driver.child("modelsheet_subjects").count() == 0
    controller.import_export.import_file(path)
    yield lambda: driver.child("modelsheet_subjects").count() == 1
    driver.report["came back"] = row(driver)


def choose(driver, begins):
    """Choose an entry of the first subject's menu."""
    subjects = driver.child("modelsheet_subjects")
    menu = driver.docker().controller.panel.subjects.menu_of(*subjects.item(0).data(Qt.UserRole))
    next(one for one in menu.actions() if one.text().startswith(begins)).trigger()


def generate(driver):
    """Click the button once it can be clicked: the service may be away."""
    button = driver.child("modelsheet_generate")
    yield button.isEnabled
    QTest.mouseClick(button, Qt.LeftButton)


def painted(driver, count):
    """Wait until there are so many pictures, and no other job than learning."""
    yield lambda: len(driver.child("modelsheet_results").images()) >= count
    yield lambda: all("Learning" in card._title.text() for card in cards(driver))
    yield after(0.5)


def cards(driver):
    return list(driver.docker().controller.panel.jobs.cards.values())


def all_results(driver):
    items = driver.child("modelsheet_results").images()
    results = driver.docker().controller.results
    return sorted(results.get([item.data(256) for item in items]), key=lambda one: one.job.created)


def newest(driver):
    return all_results(driver)[-1].generated.recipe


def is_shown_form(driver):
    return driver.docker().controller.learn.dialog.isVisible()


def row(driver):
    """Return the first subject's row without its day."""
    subjects = driver.child("modelsheet_subjects")
    text = subjects.item(0).text() if subjects.count() else ""
    return text.rpartition(" · ")[0]
