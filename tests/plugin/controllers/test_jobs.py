"""The queue in the docker: what waits is shown in its order and moved by button, mouse and keys."""

from __future__ import annotations

from typing import Any

from tests.plugin.binding import QApplication, QEvent, QMouseEvent, QPoint, QPointF, Qt
from tests.plugin.conftest import Until
from tests.plugin.drive import press, start
from tests.plugin.fake_backend import FakeBackend


def waiting(docker: Any, backend: FakeBackend, until: Until, *prompts: str) -> list[str]:
    """Pictures that wait to be painted, shown in that order before all else that waits."""
    panel, ids = docker.controller.panel, []
    for prompt in prompts:
        panel.prompt.setText(prompt)
        panel.generate.click()
        until(lambda: len(panel.jobs.cards) > len(backend.waiting) + len(ids))  # noqa: B023
        ids += [one for one in panel.jobs.cards if one not in [*backend.waiting, *ids]]
    backend.waiting[:0] = ids
    docker.resize(300, 1200)
    docker.show()
    until(lambda: shown(docker) == backend.waiting)
    return ids


def shown(docker: Any) -> list[str]:
    cards = docker.controller.panel.jobs.cards
    return sorted(cards, key=lambda job_id: cards[job_id].geometry().top())


def test_a_waiting_job_can_be_done_next(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    first, second, third = waiting(connected, remote, until, "a", "b", "c")

    connected.controller.panel.jobs.cards[third]._sooner.click()

    until(lambda: shown(connected) == [third, first, second])
    assert remote.waiting == [third, first, second]


def test_a_waiting_job_is_dragged_to_another_place(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    first, second, third = waiting(connected, remote, until, "a", "b", "c")
    queue = connected.controller.panel.jobs

    drag(queue.cards[first], queue.cards[third].geometry().bottom())

    until(lambda: shown(connected) == [second, third, first])
    drag(queue.cards[third], 0)
    until(lambda: shown(connected) == [third, second, first])
    assert remote.waiting == [third, second, first]
    assert queue._drop_indicator.isHidden()


def test_a_waiting_job_is_moved_by_keys(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    first, second, third = waiting(connected, remote, until, "a", "b", "c")
    card = connected.controller.panel.jobs.cards[second]
    alt = Qt.KeyboardModifier.AltModifier

    press(card, Qt.Key.Key_Down, modifiers=alt)

    until(lambda: shown(connected) == [first, third, second])
    press(card, Qt.Key.Key_Down, modifiers=alt)  # it is the last already
    press(card, Qt.Key.Key_Up, modifiers=alt)
    until(lambda: shown(connected) == [first, second, third])
    assert remote.verbs.count("move") == 2


def test_what_is_painted_stands_before_what_is_learnt_and_does_not_mix(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    learning = start(connected, remote, until)
    remote.waiting = [learning.row.job_id]
    first, second = waiting(connected, remote, until, "a", "b")
    queue = connected.controller.panel.jobs

    drag(queue.cards[first], queue.waiting.height())

    until(lambda: shown(connected) == [second, first, learning.row.job_id])
    assert learning.focusPolicy() == Qt.FocusPolicy.NoFocus, "alone it cannot be moved"


def drag(card: Any, to: int) -> None:
    """Take the card by its title and let it go `to` px below the top of the queue."""
    start_at = QPoint(5, 5)
    end_at = card.mapFromGlobal(card.parentWidget().mapToGlobal(QPoint(5, to)))
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    kinds = QEvent.Type
    for kind, at, button, held in (
        (kinds.MouseButtonPress, start_at, left, left),
        (kinds.MouseMove, end_at, none, left),
        (kinds.MouseButtonRelease, end_at, left, none),
    ):
        places = QPointF(at), QPointF(card.mapToGlobal(at))
        event = QMouseEvent(kind, *places, button, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(card, event)


def test_a_job_that_gives_no_sign_of_life_says_so(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    card = start(connected, remote, until)
    job = remote.job_of("learn")

    remote.publish(job.model_copy(update={"state": "running", "stalled": True}))

    until(lambda: card._detail.text() == "not responding")
    remote.publish(job.model_copy(update={"state": "running"}))
    until(lambda: card._detail.text() == "waiting")  # the phase before the first step
