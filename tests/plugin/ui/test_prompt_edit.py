"""The prompt's completion and history, the artist's presets, and the report to copy."""

from __future__ import annotations

from typing import Any

import pytest

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

    write(prompt, "a @H")

    assert offered(prompt) == ["@hero"]
    prompt.completion.activated[str].emit("@hero")
    assert prompt.text() == "a @hero "
    assert prompt.cursorPosition() == len("a @hero ")


def write(prompt: Any, text: str) -> None:
    for letter in text:
        press(prompt, Qt.Key.Key_A, letter)


def offered(prompt: Any) -> list[str]:
    """Return what is listed below the prompt, nothing while the list is closed."""
    is_open = prompt.completion.popup().isVisible()
    return [one.text for one in prompt._offered] if is_open else []


@pytest.fixture
def prompt(connected: Any, document: Any, remote: FakeBackend, until: Until) -> Any:
    """The prompt of a shown docker, with sprite32's vocabulary and the subject @hero."""
    learn_hero(connected, remote, until)
    prompt = connected.controller.panel.prompt
    connected.show()
    prompt.clear()
    until(lambda: prompt.unknown._words)
    return prompt


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Tab])
@pytest.mark.parametrize(
    ("typed", "completed"),
    {
        "@h": "@hero ",
        "@hero hold": "@hero holding ",
        "@hero holding lan": "@hero holding lance ",
        "@hero holding swo": "@hero holding sword ",
        "@hero, red clo": "@hero, red cloak ",
        "@hero with ": "@hero with lantern ",
        "@hero on gr": "@hero on grass floor ",
        "@hero on grass f": "@hero on grass floor ",
    }.items(),
)
def test_enter_and_tab_take_the_only_or_first_completion(
    prompt: Any, typed: str, completed: str, key: Qt.Key, remote: FakeBackend
) -> None:
    write(prompt, typed)
    assert offered(prompt)

    press(prompt, key)

    assert prompt.text() == completed
    assert not any(job.kind == "generate" for job in remote.jobs.values())


def test_enter_takes_the_highlighted_completion(prompt: Any) -> None:
    write(prompt, "@hero holding ")
    popup = prompt.completion.popup()
    popup.setCurrentIndex(popup.model().index(2, 0))
    third = offered(prompt)[2]

    press(prompt, Qt.Key.Key_Return)

    assert prompt.text() == f"@hero {third} "


def test_what_can_follow_is_offered_after_a_completion(prompt: Any, until: Until) -> None:
    write(prompt, "@hero hold")
    press(prompt, Qt.Key.Key_Tab)

    until(lambda: offered(prompt))

    assert all(one.startswith("holding ") for one in offered(prompt))


@pytest.mark.parametrize(
    "typed", ["@hero holding sword", "@hero red cloak", "@hero xyzzy", "@hero"]
)
def test_enter_behind_a_whole_word_paints(
    prompt: Any, typed: str, remote: FakeBackend, until: Until
) -> None:
    write(prompt, typed)
    assert offered(prompt) == []

    press(prompt, Qt.Key.Key_Return)

    until(lambda: any(job.kind == "generate" for job in list(remote.jobs.values())))


def marked(prompt: Any) -> list[str]:
    """Return the words that are underlined."""
    QApplication.processEvents()  # they are marked once the text is written
    block = prompt.document().firstBlock()
    found = []
    while block.isValid():
        spans = [(one.start, one.length) for one in block.layout().formats()]
        found += [block.text()[start : start + length] for start, length in spans]
        block = block.next()
    return found


def test_words_that_count_for_nothing_are_marked_while_one_types(prompt: Any) -> None:
    write(prompt, "@hero, @anna/hero riding a horse, (holding sword:1.2) on the beac")
    assert marked(prompt) == ["riding", "horse", "beac"]

    prompt.setText("@hero holding swo")
    assert marked(prompt) == [], "it can become sword"
    write(prompt, " xyzzy")
    assert marked(prompt) == ["swo", "xyzzy"]
    assert "Near to it: sword" in prompt._explanation("swrd")


def test_a_subject_s_own_words_count_for_it_alone(
    connected: Any, document: Any, prompt: Any, remote: FakeBackend, until: Until
) -> None:
    about = {"captions": ["waving happily"], "identifier": "qdf"}
    remote.subjects[:] = [remote.subjects[0].model_copy(update=about)]
    connected.controller.connection.refresh()
    until(lambda: connected.controller.subjects.all[0].captions)

    prompt.setText("@hero waving")
    assert marked(prompt) == []
    prompt.setText("qdf waving")
    assert marked(prompt) == []
    prompt.setText("elf woman waving ")
    assert marked(prompt) == ["waving"]


def test_nothing_is_marked_for_a_base_model_that_knows_any_word(
    document: Any, remote: FakeBackend, until: Until, request: pytest.FixtureRequest
) -> None:
    remote.family = "sd15"
    connected = request.getfixturevalue("connected")
    prompt = connected.controller.panel.prompt
    learn_hero(connected, remote, until)
    vocabularies = connected.controller.vocabulary._vocabularies
    until(lambda: vocabularies.get("sprite32") is not None)

    prompt.setText("@hero riding a zorbflax ")

    assert marked(prompt) == []


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


def test_a_prompt_is_saved_with_its_negative_one(connected: Any) -> None:
    from modelsheet_krita.app.settings import Preferences

    panel = connected.controller.panel
    panel.prompt.setText("@hero\nin the rain")
    panel.box.advanced.negative.setText("horse")
    panel.box.prompt_saved.emit()
    panel.prompt.setText("something else")
    panel.box.advanced.negative.clear()

    saved = panel.box.presets.menu().actions()
    next(one for one in saved if one.text() == "@hero in the rain").trigger()

    assert panel.prompt.text() == "@hero\nin the rain"
    assert panel.box.advanced.negative.text() == "horse"
    panel.box.prompt_dropped.emit("@hero\nin the rain")
    assert Preferences().saved_prompts() == []


def test_settings_edited_by_hand_do_no_harm(krita: Any) -> None:
    from modelsheet_krita.app.settings import Preferences

    krita.settings |= {
        ("modelsheet", "history"): "not JSON",
        ("modelsheet", "presets"): '{"a": 3, "b": {"steps": 4, "strength": 20}}',
        ("modelsheet", "discarded"): '{"a": 1}',
        ("modelsheet", "origins"): '{"a": ["id", "x"], "b": 3}',
        ("modelsheet", "prompts"): '[["a"], 3]',
    }

    preferences = Preferences()

    assert preferences.history() == []
    assert [(name, one.strength) for name, one in preferences.presets().items()] == [("b", 20)]
    assert preferences.discarded() == set()
    assert preferences.origins() == {}
    assert preferences.saved_prompts() == []


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


def test_the_prompt_has_several_lines_and_enter_generates(connected: Any) -> None:
    prompt, pressed = connected.controller.panel.prompt, []
    prompt.returnPressed.connect(lambda: pressed.append(prompt.text()))
    prompt.setText("@hero holding sword")
    low = prompt.height()

    for line in ("in the rain", "at night"):
        press(prompt, Qt.Key.Key_Return, "\r", modifiers=Qt.KeyboardModifier.ShiftModifier)
        prompt.continue_with(line)
    press(prompt, Qt.Key.Key_Return, "\r")

    assert pressed == ["@hero holding sword\nin the rain\nat night"]
    assert prompt.height() > low


def test_arrow_keys_move_between_lines_and_recall_beyond_them(connected: Any) -> None:
    prompt = connected.controller.panel.prompt
    prompt.show_history(["a knight"])
    prompt.setText("first\nsecond")

    press(prompt, Qt.Key.Key_Up)
    assert prompt.text() == "first\nsecond"
    press(prompt, Qt.Key.Key_Up)
    assert prompt.text() == "a knight"


def test_a_subject_takes_the_place_of_another_on_its_line(connected: Any) -> None:
    prompt = connected.controller.panel.prompt
    prompt.setText("in the rain\n@orc running")

    prompt.mention("hero")

    assert prompt.text() == "in the rain\n@hero running "


def test_a_prompt_is_never_longer_than_the_backend_takes(connected: Any) -> None:
    from modelsheet_krita.backend.api_responses import PROMPT_LENGTH

    prompt = connected.controller.panel.prompt
    prompt.continue_with("a" * (PROMPT_LENGTH + 5))

    assert prompt.text() == "a" * PROMPT_LENGTH
