"""Set the backend up while another Krita does, then, as the second one, remove it.

The FIRST Krita begins when the second one has started; that one is refused, and tries again when
the first one has ended.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path

SETUP = runpy.run_path(str(Path(__file__).with_name("setup.py")))
is_shown, is_over = SETUP["is_shown"], SETUP["is_over"]
IS_FIRST = bool(os.environ["FIRST"])


def steps(driver):
    first, second = driver.folder.with_name("first"), driver.folder.with_name("second")
    (driver.folder / "has-started").touch()
    docker = driver.docker()
    docker.setVisible(True)
    docker.raise_()
    docker.controller.panel.backend_wanted.emit("setup")  # as the menu does
    yield lambda: is_shown(driver, "modelsheet_setup")
    form = driver.child("modelsheet_setup")
    yield lambda: is_over(driver, form)
    if IS_FIRST:
        yield (second / "has-started").exists
    else:
        log = docker.setup._installation._data_folder / "backend/setup.log"
        yield log.exists
        form.start.click()
        yield lambda: is_over(driver, form)
        driver.report["refused"] = form.about.text()
        driver.screenshot(form, "refused")
        yield (first / "report.json").exists
    form.start.click()
    yield lambda: is_over(driver, form)
    driver.report["outcome"] = form.about.text()
    yield lambda: driver.child("modelsheet_status").text().startswith("Ready")
    if not IS_FIRST:
        form.remove.click()
        yield lambda: is_over(driver, form)
        driver.report["removed"] = form.about.text()
        driver.screenshot(form, "removed")
