"""Krita is closed while it learns, and opened again. LEAVING says which of the two: away, back."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

WHOLE = runpy.run_path(str(Path(__file__).with_name("whole.py")))
ROAD = WHOLE["ROAD"]


def steps(driver):
    yield from ROAD["arrange_window"](driver)
    yield from (away if os.environ["LEAVING"] == "away" else back)(driver)


def away(driver):
    document = yield from ROAD["open_document"](driver)
    layer = WHOLE["fill"](document, "wide", document.rootNode(), 10, (60, 180, 40), width=200)
    document.waitForDone()
    yield from WHOLE["open_form"](driver, document, layer)
    yield from WHOLE["send"](driver, "Stayer", preset="thorough")
    yield lambda: any("step" in card._detail.text() for card in cards(driver))
    driver.report["left at"] = cards(driver)[0]._detail.text()


def back(driver):
    subjects = driver.child("modelsheet_subjects")
    yield lambda: subjects.count() or any("step" in c._detail.text() for c in cards(driver))
    driver.report["learning"] = [card._title.text() for card in cards(driver)]
    driver.report["found at"] = [card._detail.text() for card in cards(driver)]
    driver.screenshot(driver.docker(), "back")
    for card in cards(driver):
        yield lambda card=card: card.row.can_finish
        card._stop.click()
        driver.docker().controller.jobs.question._finish.click()
    yield lambda: subjects.count() == 1
    driver.report["subject"] = subjects.item(0).text()


def cards(driver):
    return list(driver.docker().controller.panel.jobs.cards.values())
