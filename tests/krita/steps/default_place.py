"""The docker where Krita puts it first, in a fresh profile: what is in view while one works."""

from __future__ import annotations

import runpy
from pathlib import Path

from krita import Krita
from PyQt5.QtCore import QEvent, QRect, Qt
from PyQt5.QtGui import QKeyEvent
from PyQt5.QtWidgets import QApplication

ROAD = runpy.run_path(str(Path(__file__).with_name("road.py")))
after, is_shown = ROAD["after"], ROAD["is_shown"]


def steps(driver):
    window = driver.window.qwindow()
    window.setGeometry(0, 0, 1600, 1000)
    docker = driver.docker()
    panel = docker.controller.panel
    yield after(2.0)  # the docker is placed once the window is laid out
    yield lambda: panel.generate.isEnabled()
    document = yield from ROAD["open_document"](driver)
    names = ROAD["add_layers"](document)
    document.waitForDone()
    yield from ROAD["choose_layers"](driver, document, names)
    driver.report["docker"] = (docker.width(), docker.height())
    driver.report["beside"] = len(window.tabifiedDockWidgets(docker))
    driver.screenshot(window, "1-start")
    yield from fill_form(driver)
    yield lambda: any(card.row.is_learning for card in panel.jobs.cards.values())
    yield after(0.3)
    card = next(card for card in panel.jobs.cards.values() if card.row.is_learning)
    driver.report["job in view"] = is_inside(docker, card)
    driver.screenshot(window, "4-learn-just-begun")
    yield lambda: card.previews.count() > 1 and not card.curve.isHidden()
    yield after(0.3)
    driver.report["trial pictures in view"] = is_inside(docker, card.previews)
    driver.report["width"] = widths(panel)
    driver.screenshot(window, "5-learning")
    yield from look_at_another_tab(driver)
    yield from nearly_cancel(driver, card)
    yield lambda: not panel.jobs.cards
    yield after(0.8)
    driver.report["notice in view"] = is_inside(docker, panel.notice)
    driver.screenshot(window, "6-learnt")
    panel.prompt.setText("@hero holding sword")
    panel.generate.click()
    yield lambda: len(panel.results.images()) == 4
    yield after(0.8)
    part = panel.results.visualItemRect(panel.results.images()[0])
    driver.report["results in view"] = is_inside(panel.scroll_area, panel.results, part)
    driver.report["apply in view"] = is_inside(docker, panel.apply)
    driver.report["width with results"] = widths(panel)
    driver.screenshot(window, "7-results")
    panel.notice.say("@sir_gawain_the_hero_of_the_northern_marches goes to the trash.", action="OK")
    yield after(0.5)
    driver.report["width with a notice"] = widths(panel)
    driver.screenshot(window, "8-notice")


def fill_form(driver):
    Krita.instance().action("modelsheet_learn_subject").trigger()
    yield lambda: is_shown(driver, "modelsheet_learn_form")
    form = driver.docker().controller.learn.dialog
    yield after(0.5)
    driver.screenshot(form, "2-form")
    places = [places_of(form)]
    form.activateWindow()
    edit = form.class_noun.lineEdit()
    edit.setFocus()
    yield after(0.3)
    edit.selectAll()  # a guess may be entered already
    for letter in "hu":
        key = QKeyEvent(QEvent.KeyPress, ord(letter.upper()), Qt.NoModifier, letter)
        QApplication.sendEvent(edit, key)
    yield after(0.5)
    popup = form.class_noun.completer().popup()
    field = QRect(edit.mapToGlobal(edit.rect().topLeft()), edit.size())
    driver.report["completing"] = popup.isVisible()
    covers = popup.isVisible() and popup.geometry().intersects(field)
    driver.report["popup covers the field"] = covers
    driver.screenshot(form, "3-form-completing")
    popup.hide()
    places.append(places_of(form))
    form.name.setText("Hero")
    form.class_noun.setEditText("human man")
    yield lambda: form.learn.isEnabled()
    yield after(0.3)
    places.append(places_of(form))
    driver.report["form moved"] = places.count(places[0]) != len(places)
    form.preset.setCurrentIndex(form.preset.findData("thorough"))
    form.learn.click()


def places_of(form):
    """Where the fields stand in the form."""
    fields = (form.name, form.class_noun, form.preset, form.learn)
    return [field.mapTo(form, field.rect().topLeft()).y() for field in fields]


def look_at_another_tab(driver):
    """Bring the docker beside ours to the front: a line in the status bar tells of the job."""
    window, docker = driver.window.qwindow(), driver.docker()
    beside = window.tabifiedDockWidgets(docker)
    if not beside:
        return
    beside[0].raise_()
    yield lambda: is_shown(driver, "modelsheet_status_line")
    yield after(0.3)
    line = driver.child("modelsheet_status_line")
    driver.report["status line"] = line.text()
    driver.screenshot(window, "5b-another-tab")
    line.click()
    yield lambda: not line.isVisible()
    yield after(0.3)


def nearly_cancel(driver, card):
    """Press the cross of the learning job and go on; press it again and keep the best."""
    jobs = driver.docker().controller.jobs
    card._stop.click()
    yield lambda: jobs.question is not None and jobs.question.isVisible()
    yield after(0.3)
    driver.screenshot(jobs.question, "5c-question")
    jobs.question.escapeButton().click()
    yield lambda: not jobs.question.isVisible()
    driver.report["asked"] = card.row.can_finish
    card._stop.click()
    yield lambda: jobs.question.isVisible()
    jobs.question._finish.click()


def widths(panel):
    return panel.content.width(), panel.scroll_area.viewport().width()


def is_inside(root, widget, part=None):
    """Return True if the widget, or a part of it, lies inside the root."""
    part = part or widget.rect()
    top_left = widget.mapTo(root, part.topLeft())
    return root.rect().contains(QRect(top_left, part.size()))
