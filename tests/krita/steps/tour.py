"""The README's steps in a real Krita, photographed: the sample's layers become a subject.

TOUR_SAMPLE is the OpenRaster file to open, SHEET_PICTURE the drawing that is animated.
"""

from __future__ import annotations

import os
import runpy
import time
from pathlib import Path

from krita import Krita
from PyQt5.QtGui import QCursor
from PyQt5.QtWidgets import QApplication, QDockWidget, QMenu, QProgressBar

SHEET = runpy.run_path(str(Path(__file__).with_name("model_sheet.py")))
PROMPT = "@hero holding sword, with blue knight shield"


def steps(driver):
    yield from arrange_window(driver)
    document = yield from open_sample(driver)
    QCursor.setPos(driver.docker().mapToGlobal(driver.docker().rect().bottomRight()))
    yield after(0.5)
    photograph(driver, "krita-1-open")
    yield from choose_layers(driver, document)
    yield from show_menu(driver)
    yield from fill_form(driver)
    yield from learn(driver)
    yield from generate(driver)
    for node in document.rootNode().childNodes():
        node.setVisible(False)  # as an artist would, to see the new ones alone
    document.refreshProjection()
    driver.child("modelsheet_apply").click()
    yield lambda: not is_applying(driver)
    yield after(1.5)
    photograph(driver, "krita-5-results")
    driver.report["layers"] = [node.name() for node in document.rootNode().childNodes()]
    yield from explore(driver)
    yield from animate(driver)


def is_applying(driver):
    return any(task.is_running for task in driver.docker().controller.generate.apply_tasks)


def arrange_window(driver):
    window = driver.window.qwindow()
    window.setGeometry(0, 0, 1280, 920)
    docker = driver.docker()
    for other in window.findChildren(QDockWidget):
        if other.objectName() not in ("modelsheet_krita", "KisLayerBox", "ToolBox"):
            other.hide()
    docker.setVisible(True)
    docker.raise_()
    window.resizeDocks([docker], [330], 1)
    window.resizeDocks([window.findChild(QDockWidget, "KisLayerBox"), docker], [210, 640], 2)
    yield lambda: driver.child("modelsheet_status").text().startswith("Ready")


def open_sample(driver):
    document = Krita.instance().openDocument(os.environ["TOUR_SAMPLE"])
    driver.window.addView(document)
    yield lambda: Krita.instance().activeDocument() is not None
    driver.window.qwindow().showMaximized()
    yield after(1.0)
    driver.window.activeView().canvas().setZoomLevel(14.0)
    # The views lie over each other: only the first is shown while they are chosen.
    for node in document.rootNode().childNodes():
        node.setVisible(node.name() == "plain")
    document.refreshProjection()
    yield after(1.0)
    return document


def choose_layers(driver, document):
    for node in document.rootNode().childNodes():
        node.setVisible(True)
    document.setActiveNode(document.rootNode().childNodes()[-1])
    yield after(0.5)
    Krita.instance().action("select_all_layers").trigger()
    yield lambda: len(driver.window.activeView().selectedNodes()) == 5


def show_menu(driver):
    bar = driver.window.qwindow().menuBar()
    action = next(each for each in bar.actions() if each.text().replace("&", "") == "Layer")
    bar.setActiveAction(action)
    menu: QMenu = action.menu()
    menu.popup(bar.mapToGlobal(bar.actionGeometry(action).bottomLeft()))
    yield after(0.8)
    wanted = [
        each for each in menu.actions() if "learn subject" in each.text().replace("&", "").lower()
    ]
    driver.report["in_layer_menu"] = len(wanted)
    if wanted:
        menu.setActiveAction(wanted[0])
    yield after(0.3)
    photograph(driver, "krita-2-select")
    menu.close()
    yield after(0.3)


def fill_form(driver):
    Krita.instance().action("modelsheet_learn_subject").trigger()
    yield lambda: is_shown(driver, "modelsheet_learn_form")
    form = driver.child("modelsheet_learn_form")
    form.name.setText("Hero")
    form.class_noun.setEditText("girl")
    yield lambda: "human woman" in form.noun_hint.text()
    yield after(0.5)
    photograph(driver, "krita-3-form")
    driver.child("modelsheet_send", form).click()


def learn(driver):
    docker = driver.docker()
    yield lambda: any(bar.value() >= 600 for bar in docker.findChildren(QProgressBar))
    cards = docker.controller.panel.jobs.cards
    yield lambda: not cards or next(iter(cards.values())).previews.count() > 1
    yield after(0.3)
    photograph(driver, "krita-4-learning")
    yield lambda: driver.child("modelsheet_subjects").count() == 1
    yield lambda: not docker.findChildren(QProgressBar)


def generate(driver):
    driver.child("modelsheet_prompt").setText(PROMPT)
    driver.child("modelsheet_count").setValue(4)
    driver.child("modelsheet_random").setChecked(False)
    driver.child("modelsheet_seed").setValue(1)
    driver.child("modelsheet_generate").click()
    yield lambda: len(driver.child("modelsheet_results").images()) == 4
    yield after(0.5)


def explore(driver):
    """A grid over the two scales, small enough for a processor."""
    driver.child("modelsheet_prompt").setText("@hero holding sword")
    driver.child("modelsheet_explore").click()
    controller = driver.docker().controller.explore
    yield lambda: controller.dialog is not None and controller.dialog.isVisible()
    controller.dialog.across_values.setText("0, 0.4, 0.7, 1, 1.3")
    controller.dialog.down_values.setText("0, 1, 1.5")
    controller.dialog.paint.click()
    yield lambda: controller.grid is not None and controller.grid.isVisible()
    window, grid = driver.window.qwindow().geometry(), controller.grid
    grid.move(window.center() - grid.rect().center())
    yield after(0.8)
    photograph(driver, "krita-6-exploring")
    grid.close()


def animate(driver):
    """Key views as layers, then the walk in the form."""
    document = yield from SHEET["open_hero"](driver)
    yield from SHEET["open_form"](driver)
    yield from SHEET["press"](driver, "modelsheet_key_views")
    yield lambda: driver.child("modelsheet_insert").isEnabled()
    yield from SHEET["insert"](driver)
    yield from SHEET["press"](driver, "modelsheet_animate")
    yield lambda: driver.child("modelsheet_shown_action").count() > 1
    yield lambda: driver.child("modelsheet_insert").isEnabled()
    window, form = driver.window.qwindow().geometry(), driver.child("modelsheet_animate_form")
    form.move(window.bottomLeft() - form.rect().bottomLeft())
    driver.window.activeView().canvas().setZoomLevel(2.0)
    yield after(0.8)
    photograph(driver, "krita-7-model-sheet")
    yield from SHEET["insert"](driver)
    driver.report["animated layers"] = len(SHEET["walks"](document))
    form.close()


def photograph(driver, name):
    """The whole screen, menus and dialogs included; the brush's outline stays out of it."""
    picture = QApplication.primaryScreen().grabWindow(0)
    window = driver.window.qwindow().frameGeometry()
    picture.copy(window).save(str(driver.folder / (name + ".png")))


def is_shown(driver, name):
    try:
        return driver.child(name).isVisible()
    except LookupError:
        return False


def after(seconds):
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end
