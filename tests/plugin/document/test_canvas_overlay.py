"""The preview lies on the canvas where the picture would; where that is uncertain it is hidden."""

from __future__ import annotations

from typing import Any

import pytest

from modelsheet_krita import image as images
from tests.plugin import conftest as _plugin_on_path  # noqa: F401
from tests.plugin import fake_krita

from modelsheet_krita.document import canvas_overlay  # isort: skip
from modelsheet_krita.qt import QtCore  # isort: skip

GREEN = images.Image("a", 8, 8, b"\x00\xff\x00\xff" * 64)


def overlay_on(krita: fake_krita.Krita, zoom: float) -> tuple[Any, Any]:
    assert krita.window is not None
    view = krita.window.addView(fake_krita.Document(100, 50))
    view.canvas().zoom = zoom
    overlay = canvas_overlay.CanvasOverlay()
    overlay.show(view, GREEN, (10, 20, 8, 8))
    return overlay, view


def test_it_lies_where_the_picture_would_and_follows_the_canvas(
    krita: fake_krita.Krita, canvas_area: Any
) -> None:
    canvas_area.show_document(400, 200, -30, 15)
    overlay, _ = overlay_on(krita, 4.0)

    def corner() -> tuple[float, float]:
        widget = overlay._widget
        position = QtCore.QPointF(widget.pos()) + widget._target.topLeft()
        return position.x(), position.y()

    assert overlay.is_shown
    assert corner() == (30 + 40, -15 + 80)
    assert overlay._widget._target.size() == QtCore.QSizeF(32, 32)
    canvas_area.horizontalScrollBar().setValue(0)
    assert corner() == (40, -15 + 80)
    overlay.hide()
    assert not overlay.is_shown


def test_it_is_painted_only_when_it_moves(
    krita: fake_krita.Krita, canvas_area: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves = []
    canvas_area.show_document(400, 200, -30, 15)
    overlay, view = overlay_on(krita, 4.0)
    monkeypatch.setattr(overlay._widget, "setGeometry", moves.append)

    overlay.show(view, GREEN, (10, 20, 8, 8))
    assert moves == []
    overlay.show(view, GREEN, (11, 20, 8, 8))
    assert len(moves) == 1


@pytest.mark.parametrize("what", ["turned", "mirrored", "another zoom", "off the screen"])
def test_it_is_hidden_where_its_place_is_uncertain(
    krita: fake_krita.Krita, canvas_area: Any, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    canvas_area.show_document(400, 200, 430 if what == "off the screen" else 0, 0)
    if what == "turned":
        monkeypatch.setattr(fake_krita.Canvas, "rotation", lambda self: 15.0)
    if what == "mirrored":
        monkeypatch.setattr(fake_krita.Canvas, "mirror", lambda self: True)

    overlay, _ = overlay_on(krita, 3.0 if what == "another zoom" else 4.0)

    assert not overlay.is_shown


def test_a_document_of_another_resolution_tells_its_zoom_in_points(
    krita: fake_krita.Krita, canvas_area: Any
) -> None:
    canvas_area.show_document(400, 200, 0, 0)
    overlay, view = overlay_on(krita, 16.0)
    assert not overlay.is_shown

    view.document().dpi = 288
    overlay.show(view, GREEN, (10, 20, 8, 8))

    assert overlay._widget._target.size() == QtCore.QSizeF(32, 32)


def test_a_reference_image_beside_the_canvas_does_no_harm(
    krita: fake_krita.Krita, canvas_area: Any
) -> None:
    canvas_area.show_document(900, 200, 0, 0)
    overlay, _ = overlay_on(krita, 4.0)

    assert overlay.is_shown


def test_it_paints_the_picture_and_its_word(krita: fake_krita.Krita, canvas_area: Any) -> None:
    canvas_area.show_document(400, 200, 0, 0)
    overlay, _ = overlay_on(krita, 4.0)

    shot = overlay._widget.grab().toImage()
    inside = overlay._widget._target.center().toPoint()

    assert shot.pixelColor(inside).getRgb() == (0, 255, 0, 255)
    assert shot.pixelColor(1, 3).getRgb()[:3] == canvas_overlay.FRAME.getRgb()[:3]


def test_a_closed_canvas_takes_it_along(krita: fake_krita.Krita, canvas_area: Any) -> None:
    canvas_area.show_document(400, 200, 0, 0)
    overlay, _ = overlay_on(krita, 4.0)

    canvas_area.destroyed.emit()

    assert not overlay.is_shown
    overlay.hide()


def test_without_a_canvas_nothing_is_shown(krita: fake_krita.Krita) -> None:
    overlay, _ = overlay_on(krita, 1.0)

    assert not overlay.is_shown
