"""The imported plugin in the Krita that is started after its import: without a backend it says what
to do; with another one's URL and token (IMPORT_SERVER is its server.json) the whole road works.
"""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path

from krita import Krita

ROAD = runpy.run_path(str(Path(__file__).with_name("road.py")))
after, is_shown = ROAD["after"], ROAD["is_shown"]


def steps(driver):
    docker, status = driver.docker(), driver.child("modelsheet_status")
    docker.setVisible(True)
    yield lambda: status.text() == "Backend: not connected"
    yield after(0.5)
    driver.report["said"] = docker.controller.panel.connection_notice.text.text()
    driver.screenshot(docker, "imported")
    yield from connect(driver, json.loads(Path(os.environ["IMPORT_SERVER"]).read_text()))
    yield lambda: status.text().startswith("Ready")
    driver.report["trouble is gone"] = docker.controller.panel.connection_notice.isHidden()
    yield from ROAD["arrange_window"](driver)
    document = yield from ROAD["open_document"](driver)
    names = ROAD["add_layers"](document)
    document.waitForDone()
    yield from ROAD["choose_layers"](driver, document, names)
    yield from ROAD["learn"](driver)
    yield from ROAD["generate"](driver)
    driver.child("modelsheet_apply").click()
    yield lambda: document.rootNode().childNodes()[-1].type() == "grouplayer"
    driver.report["layers"] = len(document.rootNode().childNodes()[-1].childNodes())
    Krita.instance().action("edit_undo").trigger()
    document.waitForDone()


def connect(driver, server):
    driver.docker().controller.panel.backend_wanted.emit("settings")
    yield lambda: is_shown(driver, "modelsheet_backend_form")
    form = driver.child("modelsheet_backend_form")
    form.remote.setChecked(True)
    form.url.setText(server["url"])
    form.token.setText(server["token"])
    yield after(0.3)
    driver.screenshot(form, "backend")
    form.ok.click()
