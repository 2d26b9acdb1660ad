"""The form for the backend's address, and the shim that lets widgets live under either Qt."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.paths import ROOT

from modelsheet_krita.ui.backend_forms import backend_dialog  # isort: skip

WIDGETS = """
import importlib, sys
import {binding}.QtWidgets as widgets
import {binding}.QtGui as gui
import {binding}.QtCore as core
application = widgets.QApplication([])
sys.path[:0] = [{plugin!r}]
import types
package = types.ModuleType("modelsheet_krita")
package.__path__ = [{plugin!r} + "/modelsheet_krita"]
sys.modules["modelsheet_krita"] = package
from modelsheet_krita import image, qt
from modelsheet_krita.backend import api_responses, lora_header
from modelsheet_krita.ui.backend_forms import backend_dialog, setup_dialog
from modelsheet_krita.ui import (
    image_table, import_dialog, job_card, learn_dialog, name_dialog, panel,
    report_window, result_gallery, size_choice, subject_list,
)
from modelsheet_krita.ui.animation import animate_dialog
animate_dialog.AnimateDialog(lambda name: gui.QIcon(), None)
icon = lambda name: gui.QIcon()
shown = panel.Panel(icon)
shown.subjects.show_rows([subject_list.SubjectRow("1", "hero", "Hero", "tip", None)])
shown.subjects.menu_of("1", "hero")
shown.show_jobs([
    job_card.JobRow(
        "1", "Learning", "step", 0.5, kind="learn", likeness=((1, 0.2), (2, 0.4)), total=9
    )
])
shown.connection_notice.say("sentence", action="Try Again")
some = image.Image("a", 3, 2, bytes(24))
assert image.from_qimage(image.to_qimage(some), "a") == some
shown.results.add_group("a", "prompt", 1.0)
shown.results.add(1, "a", image.thumbnail(some, 20), "tip")
shown.results.choose("a")
assert shown.results.chosen() == [1]
shown.results.show_stars([1], True)
shown.results.show_only([])
assert shown.results.chosen() == []
shown.results.show_only([1])
shown.results.step(1)
shown.result_menu()
shown.card("1").show_previews([image.thumbnail(some, 20)])
shown.box.advanced.button.setChecked(True)
shown.box.prompt.show_handles(["hero"])
shown.box.prompt.show_history(["a knight"])
gui.QGuiApplication.sendEvent(shown.box.prompt, gui.QKeyEvent(
    core.QEvent.Type.KeyPress, core.Qt.Key.Key_Up, core.Qt.KeyboardModifier.NoModifier
))
assert shown.box.prompt.text() == "a knight"
shown.popup.show_beside(shown, [(image.thumbnail(some, 20), "one")])
shown.resize(260, 800)
assert not shown.grab().isNull()
form = learn_dialog.LearnDialog(icon, None)
tiny = image.thumbnail(some, 20)
form.images.show_rows([
    image_table.ImageRow(tiny, "front", "front", "3 x 2", ["small"]),
    image_table.ImageRow(tiny, "Paint Layer 1", "", "3 x 2", []),
])
form.show_size("They are large.", as_sprite=True)
form.size_choice.show_previews([tiny], more=2)
form.size_choice.show_models([size_choice.LargerModel("sd15", "SD", "missing", 9, "free")])
form.grab()
assert form.images.chosen() == [(0, "front"), (1, "")]
one = api_responses.SubjectView("1", "Hero", "knight", "sks", "sprite32", 0.0, ())
report_window.ReportWindow(one, [some], None).grab()
backend_dialog.BackendDialog(icon, None, is_remote=True, url="", token="").grab()
setup_dialog.SetupDialog(icon, None).grab()
ask = name_dialog.NameDialog(
    icon, None, "Rename", name="Hero", tip="",
    validate=lambda name: "" if name else "no", explain=str,
)
gui.QGuiApplication.sendEvent(shown.subjects.items, gui.QKeyEvent(
    core.QEvent.Type.KeyPress, core.Qt.Key.Key_F2, core.Qt.KeyboardModifier.NoModifier
))
ask.name.setText("")
assert not ask.ok.isEnabled()
ask.grab()
import pathlib
model = api_responses.BaseModelView("mine", "sd15", 512, True)
header = lora_header.LoraHeader(3, "gfx", "sd15")
bring = import_dialog.ImportDialog(icon, None, pathlib.Path("fox.safetensors"), header, [model])
bring.show_progress(1, 3)
bring.grab()
assert bring.request(("a",)).base_model == "mine"
sys.stdout.write(str(qt.qt_major))
"""


@pytest.mark.parametrize(
    ("url", "token", "error"),
    [
        ("", "t", "Enter the URL"),
        ("studio:80", "t", "Enter the URL"),
        ("ftp://studio", "t", "Enter the URL"),
        ("http://studio:eighty", "t", "Enter the URL"),
        ("https://studio:80", " ", "Enter the token"),
        ("https://studio:80", "ключ", "Enter the token"),
        ("http://studio:80", "t", "Over http to another computer"),
        ("http://192.168.1.5:80", "t", "Over http to another computer"),
        ("http://127.0.0.1.evil.org", "t", "Over http to another computer"),
        ("http://localhost:7860", "t", ""),
        ("http://[::1]:7860", "t", ""),
        ("http://127.0.0.1:8", "t", ""),
        ("https://studio", "t", ""),
    ],
)
def test_addresses_are_judged(url: str, token: str, error: str) -> None:
    assert backend_dialog.address_error(url, token).startswith(error)
    assert bool(backend_dialog.address_error(url, token)) == bool(error)


@pytest.mark.parametrize("major", [5, 6])
def test_widgets_live_under_both_qts(major: int) -> None:
    pytest.importorskip(
        f"PyQt{major}.QtWidgets", reason=f"PyQt{major} is not installed", exc_type=ImportError
    )
    script = WIDGETS.format(binding=f"PyQt{major}", plugin=str(ROOT / "krita_plugin"))

    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert (run.stdout, run.returncode) == (str(major), 0), run.stderr
