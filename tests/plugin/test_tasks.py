"""An IncrementalTask survives that Krita runs its event loop inside a call."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from tests.plugin.binding import QApplication
from tests.plugin.conftest import Until

from modelsheet_krita.tasks import IncrementalTask  # isort: skip


def processing_events(
    done: list[str], task: list[IncrementalTask[Any]], *, stops: bool = False
) -> Generator[None, None, None]:
    for number in range(3):
        QApplication.processEvents()  # as Krita does while it waits for its own threads
        done.append(str(number))
        if stops:
            task[0].stop()
        yield


def test_a_slice_within_a_slice_waits(until: Until) -> None:
    done: list[str] = []
    errors: list[Exception] = []

    task = IncrementalTask(processing_events(done, []), lambda _: done.append("end"), errors.append)

    until(lambda: not task.is_running)
    assert (done, errors) == (["0", "1", "2", "end"], [])


def test_work_that_is_stopped_from_within_ends_after_its_step(until: Until) -> None:
    done: list[str] = []
    errors: list[Any] = []
    tasks: list[IncrementalTask[Any]] = []

    tasks.append(
        IncrementalTask(processing_events(done, tasks, stops=True), done.append, errors.append)
    )

    until(lambda: not tasks[0].is_running)
    QApplication.processEvents()
    assert (done, errors) == (["0"], [])
