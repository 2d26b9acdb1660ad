"""The docker's layout: nothing is wider than it, what is new is in view, no click goes astray."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.plugin import conftest as _plugin_on_path  # noqa: F401
from tests.plugin.binding import (
    MAJOR,
    QApplication,
    QEvent,
    QIcon,
    QKeyEvent,
    QMouseEvent,
    QPixmap,
    QPoint,
    QPointF,
    Qt,
)
from tests.plugin.conftest import Until

from modelsheet_krita import i18n, image  # isort: skip
from modelsheet_krita.ui import panel, subject_list  # isort: skip
from modelsheet_krita.ui.job_card import JobRow  # isort: skip
from modelsheet_krita.ui.parts import click_guard, scrolling  # isort: skip

if MAJOR == 6:
    from PyQt6 import QtWidgets
else:
    from PyQt5 import QtWidgets

DEFAULT_PLACE = (250, 375)  # of the docker's content on a screen of 1600 x 1000
LONG = "Sir Gawain the Hero of the Northern Marches"
UNBROKEN = (
    "@sir_gawain_the_hero_of_the_northern_marches_and_of_all_other_marches goes to the trash."
)


def icon(name: str) -> QIcon:
    pixmap = QPixmap(16, 16)
    pixmap.fill(Qt.GlobalColor.gray)
    return QIcon(pixmap)


@pytest.fixture
def make() -> Iterator[Callable[..., Any]]:
    """Make panels and close them; restore language and font."""
    font, made = QApplication.font(), []

    def make_panel(width: int, height: int, *, language: str = "en", scale: float = 1.0) -> Any:
        i18n.set_language(language)
        larger = QApplication.font()
        larger.setPointSizeF(larger.pointSizeF() * scale)
        QApplication.setFont(larger)
        one = panel.Panel(icon)
        one.resize(width, height)
        one.show()
        made.append(one)
        return one

    yield make_panel
    for one in made:
        one.close()
        one.deleteLater()
    QApplication.setFont(font)
    i18n.set_language("en")


def thumbnail() -> QPixmap:
    return image.thumbnail(image.Image("a", 32, 32, bytes([200, 100, 50, 255]) * 1024), 80)


def learning(job_id: str = "learn", **changes: Any) -> JobRow:
    known = {"likeness": ((1, 0.2), (2, 0.79)), "total": 160, "is_begun": True} | changes
    detail = i18n.tr("step {step} of {total}", step=106, total=160)
    title = i18n.tr("Learning {title}", title=LONG)
    return JobRow(job_id, title, detail, 0.5, kind="learn", **known)


def queued(count: int) -> list[JobRow]:
    title = i18n.tr("Painting {title}", title=LONG)
    return [
        JobRow(f"queued {n}", title, i18n.tr("waiting"), 0.0, is_waiting=True) for n in range(count)
    ]


def fill(one: Any) -> None:
    """Put everything into the panel that can be wide."""
    text = f"{LONG}\n@sir_gawain · human knight\nlikeness 80% · sprite32 · 2026-11-28"
    one.subjects.show_rows(
        [subject_list.SubjectRow(str(n), "sir_gawain", text, "tip", thumbnail()) for n in range(9)]
    )
    one.show_jobs([JobRow("paint", LONG, "step 1 of 20", 0.1), learning(), *queued(8)])
    one.jobs.toggle.setChecked(True)
    one.subjects.fold.setChecked(True)
    one.card("learn").show_previews([thumbnail()] * 4)
    one.notice.say(UNBROKEN, action=i18n.tr("Keep It"))
    one.connection_notice.say(UNBROKEN, action=i18n.tr("Try Again"))
    one.box.advanced.button.setChecked(True)
    one.box.advanced.expert.button.setChecked(True)
    one.box.advanced.source.setCurrentIndex(1)
    one.box.seed.setValue(one.box.seed.maximum())
    one.show_status(UNBROKEN, is_ready=False)
    show_results(one, "a", 6)


def show_results(one: Any, group: str, count: int) -> None:
    one.results.add_group(group, f"12:30  {LONG}, holding a sword", created=time.time())
    first = len(one.results.images())
    for key in range(first, first + count):
        one.results.add(key, group, thumbnail(), "tip")
    one.results.choose(group)


def settle(seconds: float = 0.3) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()


def is_seen(one: Any, widget: Any, part: Any = None) -> bool:
    """Return True if the widget, or part of it, lies within the scroll area's viewport."""
    viewport = one.scroll_area.viewport()
    area = part or widget.rect()
    top = widget.mapTo(viewport.parentWidget(), area.topLeft()).y()
    return bool(top >= 0 and top + area.height() <= viewport.height() + 1)


@pytest.mark.parametrize(
    ("width", "language", "scale"),
    [(250, "en", 1), (200, "en", 1), (200, "ru", 1), (200, "en", 2), (200, "ru", 2)],
)
def test_nothing_is_wider_than_the_docker(
    make: Callable[..., Any], width: int, language: str, scale: float
) -> None:
    one = make(width, 900, language=language, scale=scale)
    fill(one)
    settle()

    assert one.width() == width, "the footer asks for no more"
    assert one.content.width() == one.scroll_area.viewport().width() < width, "beside a scroll bar"
    beyond = [
        (type(widget).__name__, widget.objectName(), widget.width())
        for widget in one.findChildren(QtWidgets.QWidget)
        if widget.isVisible()
        and not widget.isWindow()
        and isinstance(widget.parentWidget(), QtWidgets.QWidget)
        and widget.geometry().right() > widget.parentWidget().width()
        and not isinstance(widget.parentWidget(), QtWidgets.QAbstractSpinBox)
    ]
    assert beyond == [], beyond


def test_one_scroll_area_and_none_inside_it(make: Callable[..., Any]) -> None:
    one = make(*DEFAULT_PLACE)
    fill(one)
    settle()

    areas = [area for area in one.findChildren(QtWidgets.QAbstractScrollArea) if area.isVisible()]
    scrolling_ones = [area for area in areas if area.verticalScrollBar().maximum() > 0]

    assert scrolling_ones == [one.scroll_area]
    assert (
        one.results.viewport().height()
        >= one.results.visualItemRect(one.results.item(one.results.count() - 1)).bottom()
    )


def test_a_running_job_is_in_view_at_the_default_height(make: Callable[..., Any]) -> None:
    one = make(*DEFAULT_PLACE)
    one.show_jobs([learning()])
    one.card("learn").show_previews([thumbnail()] * 4)
    settle()

    card = one.card("learn")
    assert one.rect().contains(card.mapTo(one, card.rect().bottomRight()))
    assert not one.content.isAncestorOf(card)
    assert card.previews.isVisible()
    assert card.curve.isVisible()
    assert one.scroll_area.viewport().height() > 150, "the rest has room"


def test_what_waits_is_one_line_in_a_low_docker_and_a_list_in_a_high_one(
    make: Callable[..., Any],
) -> None:
    low, high = make(*DEFAULT_PLACE), make(250, 900)
    for one in (low, high):
        one.show_jobs([learning(), *queued(3)])
    settle()

    assert low.jobs.toggle.text() == high.jobs.toggle.text() == "3 jobs wait"
    assert not low.jobs.waiting.isVisible()
    assert high.jobs.waiting.isVisible()
    low.jobs.toggle.click()
    assert low.jobs.waiting.isVisible()
    low.show_jobs([learning()])
    assert not low.jobs.waiting.isVisible()
    assert not low.jobs.toggle.isVisible()


def test_a_job_that_waits_alone_is_in_view(make: Callable[..., Any]) -> None:
    one = make(*DEFAULT_PLACE)
    one.show_jobs(queued(1))
    settle()

    card = one.card("queued 0")
    assert one.rect().contains(card.mapTo(one, card.rect().bottomRight()))
    assert not one.jobs.toggle.isVisible()


def test_learning_that_gives_way_stays_in_view(make: Callable[..., Any]) -> None:
    one = make(*DEFAULT_PLACE)
    one.show_jobs([JobRow("paint", "Painting", "", 0.0), learning(is_waiting=True), *queued(1)])
    settle()

    assert not one.content.isAncestorOf(one.card("learn"))
    assert one.content.isAncestorOf(one.card("queued 0"))


def test_new_results_are_scrolled_to(make: Callable[..., Any], until: Until) -> None:
    one = make(*DEFAULT_PLACE)
    one.show_jobs([learning()])
    for group in ("a", "b"):
        show_results(one, group, 4)

    first = one.results.images()[0]
    until(lambda: is_seen(one, one.results, one.results.visualItemRect(first)))
    assert one.results.chosen()[0] == first.data(256)
    assert one.apply.isVisible()


def test_no_tooltip_lies_over_the_large_preview(make: Callable[..., Any]) -> None:
    one = make(*DEFAULT_PLACE)
    show_results(one, "a", 1)

    (picture,) = one.results.images()
    assert picture.toolTip() == ""
    assert picture.data(Qt.ItemDataRole.AccessibleTextRole) == "tip"


def test_what_to_avoid_is_as_wide_as_the_prompt(make: Callable[..., Any]) -> None:
    one = make(*DEFAULT_PLACE)
    settle()

    assert one.box.advanced.negative.isVisible()
    assert one.box.advanced.negative.width() == one.box.prompt.width()


def test_typing_is_not_scrolled_away(
    make: Callable[..., Any], until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrolling, "TYPING_S", 2.0)
    one = make(250, 240)  # prompt and results do not fit together
    show_results(one, "a", 4)
    headline = one.results.item(0)
    until(lambda: is_seen(one, one.results, one.results.visualItemRect(headline)))
    assert not is_seen(one, one.prompt)

    no_modifier = Qt.KeyboardModifier.NoModifier
    key = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_A, no_modifier, "a")
    QApplication.sendEvent(one.prompt, key)
    assert is_seen(one, one.prompt), "what is typed is in view"
    show_results(one, "b", 4)
    settle(0.2)
    assert is_seen(one, one.prompt), "and stays so"

    until(lambda: not is_seen(one, one.prompt))


def test_a_notice_is_scrolled_to(make: Callable[..., Any], until: Until) -> None:
    one = make(*DEFAULT_PLACE)
    one.subjects.fold.click()

    one.notice.say(UNBROKEN, action="Keep It")

    until(lambda: is_seen(one, one.notice))


def test_subjects_fold_in_a_low_docker_and_name_themselves(make: Callable[..., Any]) -> None:
    low, high = make(*DEFAULT_PLACE), make(250, 900)
    rows = [subject_list.SubjectRow(str(n), f"hero{n}", LONG, "tip", None) for n in range(5)]
    assert low.subjects.inside.isVisible(), "an empty list says how to begin"
    for one in (low, high):
        one.subjects.show_rows(rows)
    settle()

    assert not low.subjects.inside.isVisible()
    assert low.subjects.fold.text() == "Subjects: @hero0, @hero1, @hero2, @hero3, @hero4"
    assert high.subjects.inside.isVisible()
    shown = [row for row in range(5) if not high.subjects.items.isRowHidden(row)]
    assert shown == [0, 1, 2]
    assert high.subjects.more.text() == "2 more subjects"
    high.subjects.more.click()
    assert not high.subjects.items.isRowHidden(4)
    low.subjects.fold.click()
    low.resize(250, 360)
    assert low.subjects.inside.isVisible(), "the artist has decided"


def click(button: Any) -> None:
    """Press and release the mouse on the button, as Qt delivers it."""
    at = QPointF(button.rect().center())
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    for kind, held in (
        (QEvent.Type.MouseButtonPress, left),
        (QEvent.Type.MouseButtonRelease, none),
    ):
        place = QPointF(button.mapToGlobal(QPoint(int(at.x()), int(at.y()))))
        event = QMouseEvent(kind, at, place, left, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(button, event)


def test_a_button_that_has_just_moved_takes_no_click(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(click_guard, "GUARD_S", 1.0)
    one = make(250, 900)
    wanted: list[str] = []
    one.job_wanted.connect(lambda job_id, action: wanted.append(job_id))
    one.show_jobs([learning("a"), learning("b")])
    settle(1.3)
    click(one.card("b")._stop)
    assert wanted == ["b"]

    one.show_jobs([JobRow("p", "Painting", "", 0.0), learning("b")])
    one.notice.say("Moved.")
    settle(0.1)
    for job_id in ("p", "b"):
        click(one.card(job_id)._stop)
    assert wanted == ["b"], "both stand where another one was"

    settle(1.1)
    click(one.card("b")._stop)
    assert wanted == ["b", "b"]


def test_a_button_that_stays_takes_clicks_at_once(make: Callable[..., Any]) -> None:
    one = make(250, 900)
    applied: list[object] = []
    one.apply_wanted.connect(lambda keys, how: applied.append(keys))
    show_results(one, "a", 1)
    settle(1.0)

    one.show_jobs([learning()])
    settle(0.1)
    click(one.apply)

    assert applied == [[0]]


def test_a_moved_button_still_takes_keys(make: Callable[..., Any]) -> None:
    one = make(250, 900)
    wanted: list[str] = []
    one.job_wanted.connect(lambda job_id, action: wanted.append(action))

    one.show_jobs([learning()])
    one.card("learn")._stop.click()

    assert wanted == ["stop"]
