"""The prompt's completion and history, the artist's presets, and the report to copy."""

from __future__ import annotations

from typing import Any

from tests.plugin.binding import QApplication, QColor, QPalette, Qt
from tests.plugin.conftest import Until
from tests.plugin.drive import generate, learn_hero, press, said
from tests.plugin.fake_backend import FakeBackend


def test_at_completes_to_the_subjects(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    learn_hero(connected, remote, until)
    prompt = connected.controller.panel.prompt
    prompt.clear()

    for letter in "a @H":
        press(prompt, Qt.Key.Key_A, letter)

    assert prompt.completion.currentCompletion() == "@hero"
    prompt.completion.activated[str].emit("@hero")
    assert prompt.text() == "a @hero "
    assert prompt.cursorPosition() == len("a @hero ")


def test_earlier_prompts_come_back_also_after_a_restart(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    from modelsheet_krita.app.settings import Preferences

    generate(connected, remote, until, count=1)
    prompt = connected.controller.panel.prompt
    prompt.setText("something new")

    press(prompt, Qt.Key.Key_Up)
    assert prompt.text() == "@hero holding sword"
    press(prompt, Qt.Key.Key_Down)
    assert prompt.text() == "something new"
    assert Preferences().history() == ["@hero holding sword"]


def test_a_preset_brings_the_settings_back(connected: Any) -> None:
    from modelsheet_krita.app.settings import Preferences
    from modelsheet_krita.ui.generation_settings import GenerationSettings

    box, presets = connected.controller.panel.box, connected.controller.presets
    box.advanced.guidance.setValue(7.5)
    box.advanced.pixel_art.click()
    box.preset_saved.emit()
    assert not presets.dialog.ok.isEnabled()
    presets.dialog.name.setText(" crisp ")
    presets.dialog.ok.click()
    wanted = box.advanced.settings()
    box.advanced.show_settings(GenerationSettings())

    next(one for one in box.presets.menu().actions() if one.text() == "crisp").trigger()

    assert box.advanced.settings() == wanted
    box.preset_dropped.emit("crisp")
    assert Preferences().presets() == {}


def test_settings_edited_by_hand_do_no_harm(krita: Any) -> None:
    from modelsheet_krita.app.settings import Preferences

    krita.settings |= {
        ("modelsheet", "history"): "not JSON",
        ("modelsheet", "presets"): '{"a": 3, "b": {"steps": 4, "strength": 20}}',
        ("modelsheet", "discarded"): '{"a": 1}',
    }

    preferences = Preferences()

    assert preferences.history() == []
    assert [(name, one.strength) for name, one in preferences.presets().items()] == [("b", 20)]
    assert preferences.discarded() == set()


def test_the_report_holds_no_token_name_or_prompt(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    learn_hero(connected, remote, until)
    generate(connected, remote, until, count=1)

    connected.controller.panel.backend_wanted.emit("report")

    text = QApplication.clipboard().text()
    assert "the report is in the clipboard" in said(connected).lower()
    assert "Krita 5.1.5" in text
    assert "base model of sprite32: ready" in text
    assert "1 generate done" in text
    for secret in ("the token", "Hero", "hero", "sword", "127.0.0.1"):
        assert secret not in text


def test_a_remote_backend_is_not_ours_to_stop(connected: Any) -> None:
    connected.controller.panel.backend_wanted.emit("stop")

    assert said(connected).startswith("This backend runs on another computer")


def test_icons_follow_the_theme(connected: Any, krita: Any) -> None:
    panel = connected.controller.panel
    before = panel.generate.icon().cacheKey()
    palette = QPalette(panel.palette())
    palette.setColor(QPalette.ColorRole.Window, QColor(20, 20, 20))

    panel.setPalette(palette)

    assert panel.generate.icon().cacheKey() != before
