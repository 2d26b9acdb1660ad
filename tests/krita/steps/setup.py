"""From the plugin's zip, imported before, to the first picture: set the backend up in the docker,
open the sample, learn it by three clicks, paint it and apply.

The artist stops it once, and once the network goes away: NETWORK_GONE is the proxy's file.
"""

from __future__ import annotations

import os
import runpy
import time
from pathlib import Path

from krita import Krita
from PyQt5.QtWidgets import QProgressBar

ROAD = runpy.run_path(str(Path(__file__).with_name("road.py")))
after, is_shown = ROAD["after"], ROAD["is_shown"]
NETWORK_GONE = Path(os.environ.get("NETWORK_GONE", ""))


def steps(driver):
    docker, status = driver.docker(), driver.child("modelsheet_status")
    docker.setVisible(True)
    docker.raise_()
    yield lambda: status.text() == "Backend: not connected"
    yield after(0.5)
    notice = docker.controller.panel.connection_notice
    driver.report["said"] = notice.text.text()
    driver.screenshot(driver.window.qwindow(), "1-not-set-up")
    notice._button.click()
    yield lambda: is_shown(driver, "modelsheet_setup")
    form = driver.child("modelsheet_setup")
    yield lambda: "Folder:" in form.about.text()
    driver.report["plan"] = form.about.text()
    driver.screenshot(form, "2-plan")
    began = time.monotonic()
    yield from stopped(driver, form)
    yield from without_network(driver, form)
    form.start.click()
    yield lambda: is_over(driver, form)
    driver.report["seconds"] = round(time.monotonic() - began)
    driver.report["outcome"] = form.about.text()
    driver.screenshot(form, "5-done")
    yield from sample(driver, form)
    yield from ROAD["arrange_window"](driver)
    yield from ROAD["generate"](driver)
    driver.child("modelsheet_apply").click()
    document = Krita.instance().activeDocument()
    yield lambda: document.rootNode().childNodes()[-1].type() == "grouplayer"
    yield after(1.0)
    driver.report["layers"] = len(document.rootNode().childNodes()[-1].childNodes())
    driver.screenshot(driver.window.qwindow(), "9-applied")


def stopped(driver, form):
    """Stop in the middle of the packages, and look what is offered then."""
    form.start.click()
    yield lambda: "MB downloaded" in form.stage.text()
    driver.screenshot(form, "3-progress")
    form.cancel.click()
    yield lambda: is_over(driver, form) and "Folder:" in form.about.text()
    driver.report["stopped"] = form.about.text()
    driver.report["go on"] = form.start.text()
    driver.screenshot(form, "3-stopped")


def without_network(driver, form):
    """Lose the network in the middle of the packages."""
    form.start.click()
    yield lambda: "MB downloaded" in form.stage.text()
    NETWORK_GONE.touch()
    yield lambda: is_over(driver, form)
    driver.report["network gone"] = form.about.text()
    driver.report["try again"] = form.start.text()
    driver.screenshot(form, "4-network-gone")
    NETWORK_GONE.unlink()


def is_over(driver, form):
    return not driver.docker().setup._is_working and "Looking" not in form.about.text()


def sample(driver, form):
    """Open the Hero, Learn from Layers…, two words, Learn: three clicks."""
    form.sample.click()
    yield lambda: Krita.instance().activeDocument() is not None
    yield lambda: driver.child("modelsheet_status").text().startswith("Ready")
    yield lambda: len(driver.window.activeView().selectedNodes()) == 5
    driver.report["file"] = Krita.instance().activeDocument().fileName()
    yield after(1.0)
    driver.screenshot(driver.window.qwindow(), "6-sample")
    driver.child("modelsheet_learn").click()
    yield lambda: is_shown(driver, "modelsheet_learn_form")
    learn_form = driver.child("modelsheet_learn_form")
    learn_form.name.setText("Hero")
    learn_form.class_noun.setEditText("girl")
    yield lambda: "human woman" in learn_form.noun_hint.text()
    yield learn_form.learn.isEnabled
    driver.screenshot(learn_form, "7-learn")
    learn_form.preset.setCurrentIndex(learn_form.preset.findData("quick"))  # the test's haste
    learn_form.learn.click()
    subjects = driver.child("modelsheet_subjects")
    yield lambda: subjects.count() == 1
    yield lambda: not driver.docker().findChildren(QProgressBar)
    driver.report["subject"] = subjects.item(0).text()
    driver.screenshot(driver.window.qwindow(), "8-learnt")
