"""A subject is renamed, exported and put into a .kra in one Krita, and brought in in another.

EMBEDDED_FILE is the .kra; EMBEDDED_PART says which of the two Kritas this is: "carry" or "bring".
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path

from krita import Krita

ROAD = runpy.run_path(str(Path(__file__).with_name("road.py")))
after, notice = ROAD["after"], ROAD["notice"]
FILE = os.environ["EMBEDDED_FILE"]


def steps(driver):
    yield from ROAD["arrange_window"](driver)
    yield from {"carry": carry, "bring": bring}[os.environ["EMBEDDED_PART"]](driver)


def carry(driver):
    document = yield from ROAD["open_document"](driver)
    names = ROAD["add_layers"](document)
    document.waitForDone()
    yield from ROAD["choose_layers"](driver, document, names)
    yield from ROAD["learn"](driver)
    subject = driver.docker().controller.subjects.all[0]
    yield from rename(driver, subject)
    yield from export(driver, subject)
    yield from put_in(driver, subject, document)
    driver.report["id"] = subject.id


def choose(driver, subject, begins):
    menu = driver.docker().controller.panel.subjects.menu_of(subject.id, "hero")
    next(one for one in menu.actions() if one.text().startswith(begins)).trigger()


def rename(driver, subject):
    choose(driver, subject, "Rename")
    form = driver.docker().controller.import_export.name_dialog
    yield lambda: form.isVisible()
    form.name.setText("Captain")
    yield after(0.3)
    driver.screenshot(form, "rename")
    form.ok.click()
    shown = driver.child("modelsheet_subjects")
    yield lambda: shown.item(0).text().startswith("Captain\n@captain")


def export(driver, subject):
    choose(driver, subject, "Export")
    dialog = driver.docker().controller.import_export.file_dialog
    yield lambda: dialog.isVisible()
    dialog.selectFile(str(driver.folder / "captain.safetensors"))
    yield after(0.5)
    driver.screenshot(dialog, "export")
    dialog.accept()
    yield lambda: "is written" in notice(driver)
    driver.report["exported"] = (driver.folder / "captain.safetensors").stat().st_size


def put_in(driver, subject, document):
    choose(driver, subject, "Embed")
    yield lambda: "larger by" in notice(driver)
    driver.report["cost"] = notice(driver)
    driver.screenshot(driver.docker(), "carry")
    driver.docker().controller.panel.notice._button.click()
    yield lambda: "when you save it" in notice(driver)
    document.setBatchmode(True)
    driver.report["saved"] = document.saveAs(FILE)
    document.waitForDone()
    driver.report["bytes"] = Path(FILE).stat().st_size


def bring(driver):
    krita, subjects = Krita.instance(), driver.child("modelsheet_subjects")
    driver.report["subjects before"] = subjects.count()
    driver.window.addView(krita.openDocument(FILE))
    yield lambda: "with it" in notice(driver)
    driver.report["offered"] = notice(driver)
    driver.screenshot(driver.docker(), "offered")
    driver.docker().controller.panel.notice._button.click()
    yield lambda: subjects.count() == 1
    yield lambda: "is here" in notice(driver)
    subject = driver.docker().controller.subjects.all[0]
    driver.report["id"] = subject.id
    driver.report["subject"] = subjects.item(0).text()
    driver.report["references"] = len(subject.references)
    yield lambda: not subjects.item(0).icon().isNull()
    driver.screenshot(driver.docker(), "brought")
    driver.child("modelsheet_prompt").setText("@captain waving")
    driver.child("modelsheet_count").setValue(1)
    driver.child("modelsheet_generate").click()
    yield lambda: len(driver.child("modelsheet_results").images()) == 1
    krita.activeDocument().setModified(False)
