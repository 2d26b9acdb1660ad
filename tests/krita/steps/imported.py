"""What the imported plugin shows in the Krita that is started after its import."""

from __future__ import annotations

import time

from PyQt5.QtWidgets import QLabel


def steps(driver):
    driver.docker().setVisible(True)
    yield lambda: driver.child("modelsheet_status").text() == "Backend: not connected"
    end = time.monotonic() + 0.5
    yield lambda: time.monotonic() > end
    trouble = driver.child("modelsheet_trouble")
    driver.report["said"] = next(
        label.text() for label in trouble.findChildren(QLabel) if len(label.text()) > 20
    )
    driver.screenshot(driver.docker(), "imported")
