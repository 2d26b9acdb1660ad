"""Work in slices survives what Krita does inside a call: it may turn its event loop."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from tests.plugin.binding import QApplication
from tests.plugin.conftest import Until

from modelsheet_krita.tasks import IncrementalTask  # isort: skip


def turning(
    done: list[str], pace: list[IncrementalTask], *, stops: bool = False
) -> Generator[None, None, None]:
    for number in range(3):
        QApplication.processEvents()  # as Krita does while it waits for its own threads
        done.append(str(number))
        if stops:
            pace[0].stop()
        yield


def test_a_turn_within_a_turn_waits(until: Until) -> None:
    done: list[str] = []
    errors: list[Exception] = []

    pace = IncrementalTask(turning(done, []), lambda _: done.append("end"), errors.append)

    until(lambda: not pace.is_running)
    assert (done, errors) == (["0", "1", "2", "end"], [])


def test_work_that_is_stopped_from_within_ends_after_its_step(until: Until) -> None:
    done: list[str] = []
    errors: list[Any] = []
    paces: list[IncrementalTask] = []

    paces.append(IncrementalTask(turning(done, paces, stops=True), done.append, errors.append))

    until(lambda: not paces[0].is_running)
    QApplication.processEvents()
    assert (done, errors) == (["0"], [])
