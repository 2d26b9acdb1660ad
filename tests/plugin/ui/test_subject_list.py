"""The list of subjects fits into a narrow docker, however long the names are."""

from __future__ import annotations

from tests.plugin import conftest as _plugin_on_path  # noqa: F401
from tests.plugin.binding import QApplication, QEvent, QIcon, QKeyEvent, Qt

from modelsheet_krita.ui import subject_list  # isort: skip

LONG = "The second hero with a really long name\n@the_second_hero · knight\nsprite32 · today"


def test_a_long_name_is_cut_and_not_scrolled() -> None:
    shown = subject_list.SubjectListWidget(lambda name: QIcon())
    shown.show_rows([subject_list.SubjectRow("1", "hero", LONG, "tip", None)])
    shown.resize(260, 300)
    shown.show()
    QApplication.processEvents()

    assert shown.items.horizontalScrollBar().maximum() == 0
    item = shown.items.visualItemRect(shown.items.item(0))
    assert item.width() <= shown.items.viewport().width()
    assert item.height() >= 3 * shown.fontMetrics().height()
    assert not shown.grab().isNull()


def key_press(key: int, text: str = "") -> QKeyEvent:
    return QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier, text)


def test_keys_go_where_they_belong_after_a_click() -> None:
    shown = subject_list.SubjectListWidget(lambda name: QIcon())
    shown.show_rows([subject_list.SubjectRow("1", "hero", LONG, "tip", None)])
    happened: list[tuple[str, str]] = []
    shown.written.connect(lambda text: happened.append(("written", text)))
    shown.rename_wanted.connect(lambda subject: happened.append(("rename", subject)))
    shown.discard_wanted.connect(lambda subject: happened.append(("discard", subject)))
    keys = [
        key_press(Qt.Key.Key_F2),
        key_press(Qt.Key.Key_H, "h"),
        key_press(Qt.Key.Key_Space, " "),
        key_press(Qt.Key.Key_Delete, "\x7f"),
    ]

    for key in keys:
        QApplication.sendEvent(shown.items, key)
    assert happened == [], "nothing is chosen yet"
    shown.items.item(0).setSelected(True)
    for key in keys:
        QApplication.sendEvent(shown.items, key)

    assert happened == [("rename", "1"), ("written", "h"), ("written", " "), ("discard", "1")]
