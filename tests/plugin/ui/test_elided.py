"""Labels and buttons give way where there is no room, also with Krita's underlined letters."""

from __future__ import annotations

import pytest

from tests.plugin import conftest as _plugin_on_path  # noqa: F401
from tests.plugin.binding import MAJOR, QIcon

from modelsheet_krita.ui import widgets  # isort: skip
from modelsheet_krita.ui.parts import elided  # isort: skip

if MAJOR == 6:
    from PyQt6 import QtWidgets
else:
    from PyQt5 import QtWidgets


def test_whole_parts_are_dropped_before_a_text_is_cut() -> None:
    metrics = QtWidgets.QLabel().fontMetrics()
    text = "likeness 80% · sprite32 · 2026-11-28"
    width = metrics.horizontalAdvance("likeness 80% · sprite32") + 2

    assert elided.fit_parts(text, metrics, 10_000, keep_last=True) == text
    assert elided.fit_parts(text, metrics, width, keep_last=False) == "likeness 80% · sprite32"
    assert elided.fit_parts(text, metrics, width, keep_last=True) == "sprite32 · 2026-11-28"


def test_an_underlined_letter_of_a_field_s_label_is_no_ampersand() -> None:
    field = QtWidgets.QLineEdit()
    plain, underlined = widgets.buddy("Name", field), widgets.buddy("Name", field)
    underlined.setText("&Name")  # as KDE's library does in Krita
    for label in (plain, underlined):
        label.resize(label.sizeHint())

    assert underlined.toolTip() == "Name"
    assert underlined.sizeHint() == plain.sizeHint()
    difference = [
        (x, y)
        for x in range(plain.width())
        for y in range(plain.fontMetrics().ascent())
        if plain.grab().toImage().pixel(x, y) != underlined.grab().toImage().pixel(x, y)
    ]
    assert difference == [], "alike but for the line below"


@pytest.mark.parametrize("text", ["Learn from Layers…", "&Learn from Layers…"])
def test_a_button_that_has_room_shows_its_whole_text(text: str) -> None:
    button = widgets.push_button(lambda name: QIcon(), "", text, "")
    button.resize(button.sizeHint())
    button.grab()
    assert not button.property("modelsheet_elided")

    button.resize(button.sizeHint().width() // 2, button.height())
    button.grab()
    assert button.property("modelsheet_elided")
    assert button.minimumSizeHint().width() < button.sizeHint().width() // 2


def test_what_looks_like_html_is_shown_as_it_is() -> None:
    label = elided.ElidedLabel("<img src='//host/x.png'>")

    assert "&lt;img" in label.toolTip()
    assert "<img" not in label.toolTip()
