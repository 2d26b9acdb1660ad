"""From the plugin's zip, imported before, to the first picture: set the backend up in the docker,
open the sample, learn it, paint it and apply.
"""

from __future__ import annotations

import runpy
import time
from pathlib import Path

from krita import Krita

ROAD = runpy.run_path(str(Path(__file__).with_name("road.py")))
after, is_shown = ROAD["after"], ROAD["is_shown"]


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
    yield from stopped_and_gone_on(driver, form)
    began = time.monotonic()
    form.start.click()
    photographed = set()
    yield lambda: is_over(driver, form, photographed)
    driver.report["seconds"] = round(time.monotonic() - began)
    driver.report["outcome"] = form.about.text()
    driver.screenshot(form, "5-done")
    form.sample.click()
    yield lambda: Krita.instance().activeDocument() is not None
    document = Krita.instance().activeDocument()
    yield from ROAD["arrange_window"](driver)
    Krita.instance().action("select_all_layers").trigger()
    yield lambda: len(driver.window.activeView().selectedNodes()) > 1
    yield from ROAD["learn"](driver)
    yield from ROAD["generate"](driver)
    driver.child("modelsheet_apply").click()
    yield lambda: document.rootNode().childNodes()[-1].type() == "grouplayer"
    yield after(1.0)
    driver.report["layers"] = len(document.rootNode().childNodes()[-1].childNodes())
    driver.screenshot(driver.window.qwindow(), "6-applied")


def stopped_and_gone_on(driver, form):
    """Stop in the middle of the packages, and look what is offered then."""
    form.start.click()
    yield lambda: form.bar.value() >= 25
    form.cancel.click()
    yield lambda: not driver.docker().setup._is_working and "Folder:" in form.about.text()
    driver.report["stopped"] = form.about.text()
    driver.report["go on"] = form.start.text()
    driver.screenshot(form, "3-stopped")


def is_over(driver, form, photographed):
    if not photographed and form.bar.value() >= 40:
        photographed.add(1)
        driver.report["stage"] = form.stage.text()
        driver.screenshot(form, "4-progress")
    return not driver.docker().setup._is_working and "Looking" not in form.about.text()
