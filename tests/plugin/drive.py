"""Steps that many tests of the docker share: learn, generate, apply, read its notice."""

from __future__ import annotations

from typing import Any

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.learn import LearnRequest
from tests.plugin.binding import QApplication, QEvent, QKeyEvent, Qt
from tests.plugin.conftest import Until
from tests.plugin.fake_backend import FakeBackend

GREEN = b"\x00\xff\x00\xff"


def said(docker: Any) -> str:
    """Return the text of the docker's notice, empty while it is hidden."""
    notice = docker.controller.panel.notice
    return "" if notice.isHidden() else notice.text.text()


def open_form(docker: Any, until: Until) -> Any:
    docker.controller.learn.open()
    learn = docker.controller.learn
    until(lambda: learn.dialog.isVisible() or said(docker))
    assert learn.dialog.isVisible(), said(docker)
    return learn.dialog


def captions(form: Any) -> list[str]:
    return [caption for _, caption in form.images.chosen()]


def start(docker: Any, backend: FakeBackend, until: Until) -> Any:
    """Start learning; return the job's card."""
    form = open_form(docker, until)
    form.name.setText("Hero")
    until(lambda: form.class_noun.currentText() == "knight")
    form.learn.click()
    until(lambda: backend.the_request(LearnRequest) and docker.controller.panel.jobs.cards)
    return next(iter(docker.controller.panel.jobs.cards.values()))


def learn_hero(docker: Any, backend: FakeBackend, until: Until) -> None:
    form = open_form(docker, until)
    form.name.setText("Hero")
    until(lambda: form.class_noun.currentText() == "knight")
    form.learn.click()
    until(lambda: not form.isVisible())
    backend.learn_done()
    until(lambda: docker.controller.panel.subjects.items.count() == 1)


def generate(
    docker: Any,
    backend: FakeBackend,
    until: Until,
    *,
    count: int = 2,
    prompt: str = "@hero holding sword",
) -> None:
    panel = docker.controller.panel
    before = len(panel.results.images())
    panel.prompt.setText(prompt)
    panel.box.count.setValue(count)
    panel.box.random.setChecked(False)
    panel.box.seed.setValue(7)
    panel.generate.click()
    until(lambda: any(j.kind == "generate" and j.result is None for j in [*backend.jobs.values()]))
    backend.generate_done(GREEN)
    until(lambda: len(panel.results.images()) == before + count)


def apply(docker: Any, until: Until) -> None:
    """Press Apply; wait until all is in the document or the notice says why not."""
    docker.controller.panel.apply.click()
    until(lambda: not is_applying(docker))


def is_applying(docker: Any) -> bool:
    return any(task.is_running for task in docker.controller.generate.apply_tasks)


def newest_request(backend: FakeBackend, until: Until) -> GenerateRequest:
    """Return the newest generate request without a result."""

    def waiting() -> list[Any]:
        jobs = [*backend.jobs.values()]
        return [job for job in jobs if job.kind == "generate" and job.result is None]

    until(waiting)
    return backend.requests[waiting()[-1].id]


def press(
    widget: Any,
    key: Qt.Key,
    text: str = "",
    *,
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
) -> None:
    event = QKeyEvent(QEvent.Type.KeyPress, key, modifiers, text)
    QApplication.sendEvent(widget, event)
