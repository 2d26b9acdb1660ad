"""Set the backend up while another Krita does, whose report OTHER names; try again after it, and
remove the backend. Without OTHER it is the first one.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path

SETUP = runpy.run_path(str(Path(__file__).with_name("setup.py")))
is_shown, is_over = SETUP["is_shown"], SETUP["is_over"]
OTHER = os.environ["OTHER"]


def steps(driver):
    (driver.folder / "has-started").touch()
    docker = driver.docker()
    docker.setVisible(True)
    docker.raise_()
    docker.controller.panel.backend_wanted.emit("setup")  # as the menu does
    yield lambda: is_shown(driver, "modelsheet_setup")
    form = driver.child("modelsheet_setup")
    yield lambda: is_over(driver, form)
    if OTHER:
        lock = docker.setup._installation._data_folder / "backend/setup.log"
        yield lock.exists
        form.start.click()
        yield lambda: is_over(driver, form)
        driver.report["refused"] = form.about.text()
        driver.screenshot(form, "refused")
        yield Path(OTHER).exists
    form.start.click()
    yield lambda: is_over(driver, form)
    driver.report["outcome"] = form.about.text()
    yield lambda: driver.child("modelsheet_status").text().startswith("Ready")
    if OTHER:
        form.remove.click()
        yield lambda: is_over(driver, form)
        driver.report["removed"] = form.about.text()
        driver.screenshot(form, "removed")
