"""The docker and its forms as they look: wide and narrow, folded out, in Krita's language.

Every text that can be seen is told, so that one that is not translated is found.
"""

from __future__ import annotations

import runpy
from pathlib import Path

from krita import Krita
from PyQt5.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QMenu,
    QSpinBox,
)

ROAD = runpy.run_path(str(Path(__file__).with_name("road.py")))
after, is_shown = ROAD["after"], ROAD["is_shown"]


def steps(driver):
    docker = driver.docker()
    docker.setVisible(True)
    ready = docker.controller.panel.generate
    yield lambda: ready.isEnabled()
    document = yield from ROAD["open_document"](driver)
    names = ROAD["add_layers"](document)
    document.waitForDone()
    yield from ROAD["choose_layers"](driver, document, names)
    Krita.instance().action("modelsheet_learn_subject").trigger()
    yield lambda: docker.controller.learn.dialog.isVisible()
    form = docker.controller.learn.dialog
    form.name.setText("Hero")
    yield lambda: form.class_noun.currentText() != ""
    yield after(0.3)
    seen = texts(form)
    driver.screenshot(form, "form")
    form.preset.setCurrentIndex(form.preset.findData("balanced"))
    form.learn.click()
    yield lambda: docker.controller.panel.jobs.cards
    card = next(iter(docker.controller.panel.jobs.cards.values()))
    yield lambda: card.previews.count() > 1 and not card.curve.isHidden()
    docker.setFloating(True)
    for width in (260, 500):
        docker.resize(width, 1000)
        yield after(0.4)
        driver.screenshot(docker, f"learning-{width}")
        seen |= texts(docker)
    yield lambda: not docker.controller.panel.jobs.cards
    docker.controller.panel.prompt.setText("@hero holding sword")
    docker.controller.generate.generate()
    yield lambda: len(docker.controller.panel.results.images()) == 4
    for width in (260, 500):
        docker.resize(width, 1000)
        yield after(0.4)
        driver.screenshot(docker, f"results-{width}")
        driver.report[f"cut at {width}"] = _is_cut(docker)
    docker.controller.panel.box.advanced.button.setChecked(True)
    docker.resize(260, 1000)
    yield after(0.4)
    driver.screenshot(docker, "folded-out-260")
    seen |= texts(docker)
    docker.controller.explore.open()
    yield after(0.3)
    seen |= texts(docker.controller.explore.dialog)
    driver.screenshot(docker.controller.explore.dialog, "explore")
    docker.controller.explore.dialog.paint.click()
    yield lambda: docker.controller.explore.grid is not None
    yield after(0.3)
    seen |= texts(docker.controller.explore.grid)
    driver.screenshot(docker.controller.explore.grid, "grid")
    docker.controller.panel.backend_wanted.emit("settings")
    yield lambda: is_shown(driver, "modelsheet_backend_form")
    seen |= texts(driver.child("modelsheet_backend_form"))
    driver.screenshot(driver.child("modelsheet_backend_form"), "backend")
    driver.report["texts"] = sorted(seen)


def _is_cut(docker):
    """Return True if a part of the panel lies beyond the docker's edge."""
    panel = docker.controller.panel
    return panel.content.width() > panel.scroll_area.viewport().width()


def texts(root):
    """All that `root` and what is in it says to an artist who looks at it and points at it."""
    found = {root.windowTitle()}
    for kind in (QLabel, QAbstractButton):
        for widget in root.findChildren(kind):
            found |= {widget.text(), widget.toolTip(), widget.accessibleName()}
    for box in root.findChildren(QComboBox):
        found |= {box.itemText(row) for row in range(box.count())} | {box.toolTip()}
    for line in root.findChildren(QLineEdit):
        found |= {line.placeholderText(), line.toolTip()}
    for kind in (QSpinBox, QDoubleSpinBox):
        for box in root.findChildren(kind):
            found |= {box.specialValueText(), box.toolTip(), box.accessibleName()}
    for menu in root.findChildren(QMenu):
        found |= {action.text() for action in menu.actions()}
    return {text.replace("&", "") for text in found if text.strip()}
