"""The player keeps its place while frames arrive; the fit's lines are dragged."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plugin import conftest as _plugin_on_path  # noqa: F401
from tests.plugin.binding import MAJOR, QEvent, QMouseEvent, QPoint, QPointF, Qt
from tests.plugin.conftest import Until

from modelsheet_krita.backend.api_requests import FigureFit  # isort: skip
from modelsheet_krita.image import Image  # isort: skip
from modelsheet_krita.ui.animation.fit_editor import FitEditor, FittedFigure  # isort: skip
from modelsheet_krita.ui.animation.frame_player import FramePlayer, PlayedFrame  # isort: skip

if MAJOR == 6:
    from PyQt6.QtTest import QTest
else:
    from PyQt5.QtTest import QTest

FIT = FigureFit("male", 4, 12, 30, 16, 8, 10)


def frame(level: int) -> PlayedFrame:
    return PlayedFrame(Image("", 8, 8, bytes((level, level, level, 255)) * 64), 20)


def test_frames_that_arrive_join_those_that_play(connected: Any, until: Until) -> None:
    player = FramePlayer()
    player.show()
    player.show_frames({"front": [frame(10), frame(20)]})
    until(lambda: player.index == 1)

    player.show_frames({"front": [frame(10), frame(20), frame(30)], "left": [frame(40)]})

    until(lambda: player.index == 2)
    until(lambda: player.index == 0)
    assert player.accessibleName() == "Preview: front, left"
    player.set_playing(False)
    shown = player.grab().toImage()
    middle = shown.height() // 2
    greys = {shown.pixelColor(x, middle).red() for x in range(shown.width())}
    assert {10, 40} <= greys
    player.close()


def test_the_figure_fills_the_preview_and_moves_in_it(connected: Any) -> None:
    def dot(x: int) -> PlayedFrame:
        pixels = bytearray(64 * 64 * 4)
        at = 4 * (64 * 30 + x)
        pixels[at : at + 4] = bytes((0, 0, 255, 255))
        return PlayedFrame(Image("", 64, 64, bytes(pixels)), 20)

    player = FramePlayer()
    player.set_playing(False)
    player.show_frames({"front": [dot(30), dot(39)]})

    shown = player.grab().toImage()
    middle = (shown.height() - player.fontMetrics().height()) // 2
    colours = [shown.pixelColor(x, middle).getRgb()[:3] for x in range(shown.width())]
    red = [x for x, colour in enumerate(colours) if colour == (255, 0, 0)]
    # 12 of 64 px are seen: the 10 from dot to dot, and a margin.
    assert shown.width() / 14 < len(red) <= shown.width() / 12
    assert red[0] < shown.width() / 2


def test_a_hidden_player_does_not_play(connected: Any, until: Until) -> None:
    player = FramePlayer()
    player.show_frames({"front": [frame(10), frame(20)]})
    player.show()
    until(lambda: player.index == 1)

    player.hide()

    assert not player._timer.isActive()


@pytest.fixture
def editor(connected: Any) -> Any:
    editor = FitEditor()
    drawing = Image("hero", 32, 32, bytes(4 * 32 * 32))
    editor.show_figure(FittedFigure(drawing, drawing, (0, 0), FIT))
    editor.show()
    yield editor
    editor.close()


@pytest.mark.parametrize("name", ["top", "neck", "feet", "centre", "head_width", "body_width"])
def test_a_line_is_dragged(editor: Any, name: str) -> None:
    picture = editor.picture
    line, (_, scale) = picture.lines()[name], picture._area()
    is_row = name in ("top", "neck", "feet")
    # Where no other line is near.
    start = line.p1() + QPointF(2, 0) if is_row else line.pointAt(0.5)
    step = QPointF(0, 2 * scale) if is_row else QPointF(2 * scale, 0)
    from_, to = (QPoint(round(one.x()), round(one.y())) for one in (start, start + step))

    QTest.mousePress(picture, Qt.MouseButton.LeftButton, pos=from_)
    picture.mouseMoveEvent(_move(to))
    QTest.mouseRelease(picture, Qt.MouseButton.LeftButton, pos=to)

    moved = getattr(editor.fit(), name) - getattr(FIT, name)
    assert moved == pytest.approx(4 if name.endswith("width") else 2, abs=0.5)
    assert editor.fields[name].value() == getattr(editor.fit(), name)


def _move(to: QPoint) -> Any:
    none, left = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton
    return QMouseEvent(QEvent.Type.MouseMove, QPointF(to), left, left, none)
