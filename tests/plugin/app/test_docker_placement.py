"""The docker is seen when it is there for the first time, and where the artist put it later."""

from __future__ import annotations

from typing import Any

from tests.plugin import fake_krita
from tests.plugin.binding import QDockWidget, QMainWindow, Qt
from tests.plugin.conftest import Until

from modelsheet_krita.app import docker_placement  # isort: skip


def crowd(window: QMainWindow, until: Until, *, count: int) -> list[QDockWidget]:
    docks = []
    for number in range(count):
        dock = QDockWidget(str(number))
        dock.setMinimumHeight(150)
        window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
        docks.append(dock)
    window.resize(800, 600)
    window.show()
    until(lambda: all(dock.isVisible() for dock in docks))
    return docks


def test_a_squeezed_docker_becomes_a_tab_with_room(krita: Any, until: Until) -> None:
    window = QMainWindow()
    *others, ours = crowd(window, until, count=4)

    docker_placement.make_visible(ours)

    assert window.tabifiedDockWidgets(ours) == [others[0]]
    until(lambda: ours.height() > 200)
    window.deleteLater()


def test_one_with_room_stays_where_it_is(krita: Any, until: Until) -> None:
    window = QMainWindow()
    (ours,) = crowd(window, until, count=1)

    docker_placement.make_visible(ours)

    assert window.tabifiedDockWidgets(ours) == []
    window.deleteLater()


def test_it_happens_once(krita: fake_krita.Krita) -> None:
    from modelsheet_krita.app.settings import Preferences

    assert Preferences().take_first_time()
    assert not Preferences().take_first_time()
