"""The plugin as an artist has it, with its own requests, beside a fake Krita and a fake backend."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelsheet.krita_setup import install
from tests.plugin import fake_krita
from tests.plugin.binding import (
    QAbstractScrollArea,
    QApplication,
    QDeadlineTimer,
    QEventLoop,
    QMdiArea,
    QRect,
    QStackedWidget,
    Qt,
)
from tests.plugin.fake_backend import TOKEN, FakeBackend

# Before any test module imports the plugin: it finds Krita, and `_vendor`, which a checkout lacks.
_installed = tempfile.TemporaryDirectory(prefix="modelsheet-plugin-")
for _name, _content in install.package_files().items():
    _path = Path(_installed.name) / "modelsheet_krita" / _name
    _path.parent.mkdir(parents=True, exist_ok=True)
    _path.write_bytes(_content)
sys.path.insert(0, _installed.name)
sys.modules["krita"] = fake_krita  # type: ignore[assignment]
_application = QApplication.instance() or QApplication([])

import modelsheet_krita  # noqa: E402, F401  registers itself, as in Krita

fake_krita.Krita.instance().extensions[0]._connection.close()

PATIENCE_MS = 180_000
_dockers: list[object] = []
Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def until() -> Until:
    """Turn Qt's event loop until a condition holds; fail the test when it never does."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = QDeadlineTimer(PATIENCE_MS)
        while not condition():
            assert not deadline.hasExpired(), "what the test waits for never came"
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 20)

    return wait


@pytest.fixture
def krita(tmp_path: Path) -> Iterator[fake_krita.Krita]:
    """Krita with one window and no document."""
    fake_krita.Krita._instance = fake_krita.Krita()
    krita = fake_krita.Krita.instance()
    krita.data_folder = str(tmp_path / "krita-data")
    krita.window = fake_krita.Window()
    yield krita
    krita.notifier().applicationClosing.emit()
    fake_krita.Krita._instance = None


@pytest.fixture
def document(krita: fake_krita.Krita) -> fake_krita.Document:
    """An open document with one good layer, selected."""
    return open_document(krita, fake_krita.Document(256, 256))


def open_document(krita: fake_krita.Krita, document: fake_krita.Document) -> fake_krita.Document:
    layer = document.add("front", area=QRect(10, 20, 16, 24))
    krita.open_documents.append(document)
    assert krita.window is not None
    krita.window.view = fake_krita.View(document)
    krita.window.view.selected = [layer]
    return document


@pytest.fixture
def backend() -> Iterator[FakeBackend]:
    backend = FakeBackend()
    yield backend
    backend.close()


@pytest.fixture
def remote(krita: fake_krita.Krita, backend: FakeBackend) -> FakeBackend:
    """The fake backend, chosen by URL and token in the settings."""
    krita.settings |= {
        ("modelsheet", "backend"): "remote",
        ("modelsheet", "url"): backend.url,
        ("modelsheet", "token"): TOKEN,
    }
    return backend


@pytest.fixture
def docker(krita: fake_krita.Krita, until: Until) -> Iterator[object]:
    """The docker, registered as Krita does it, without a backend asked for yet."""
    from modelsheet_krita.app import docker

    docker.register()
    for extension in krita.extensions:
        extension.setup()
    widget = krita.factories[-1].kind()
    yield widget
    krita.notifier().applicationClosing.emit()
    # Not deleted: Qt would do so within a nested event loop of a later test, as Krita never does.
    _dockers.append(widget)


@pytest.fixture
def connected(remote: FakeBackend, docker: object, until: Until) -> object:
    """The docker, connected to the fake backend."""
    docker.controller.connection.connect_now()
    until(lambda: docker.controller.connection.state.phase == "connected")
    return docker


class KisCanvasController(QAbstractScrollArea):
    """Scroll area with ranges as Krita's: the document's size, and more around it."""

    def __init__(self) -> None:
        super().__init__()
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def show_document(self, width: float, height: float, x: int, y: int) -> None:
        for bar, length, side, value in (
            (self.horizontalScrollBar(), width, self.viewport().width(), x),
            (self.verticalScrollBar(), height, self.viewport().height(), y),
        ):
            bar.setRange(-side, round(length))
            bar.setValue(value)


@pytest.fixture
def canvas_area(krita: fake_krita.Krita) -> KisCanvasController:
    """The canvas of a document in front, 600 x 400 px on the screen."""
    assert krita.window is not None
    pages, windows = QStackedWidget(), QMdiArea()
    pages.addWidget(windows)
    krita.window.main_window.setCentralWidget(pages)
    area = KisCanvasController()
    windows.addSubWindow(area)
    krita.window.main_window.show()
    area.setFixedSize(600, 400)
    return area
