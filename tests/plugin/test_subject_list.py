"""The list of subjects fits into a narrow docker, however long the names are."""

from __future__ import annotations

from tests.plugin import conftest as _plugin_on_path  # noqa: F401
from tests.plugin.binding import QApplication, QIcon

from modelsheet_krita import subject_list  # isort: skip

LONG = "The second hero with a really long name\n@the_second_hero · knight\nsprite32 · today"


def test_a_long_name_is_cut_and_not_scrolled() -> None:
    shown = subject_list.SubjectList(lambda name: QIcon())
    shown.show_rows([subject_list.SubjectRow("1", "hero", LONG, "tip", None)])
    shown.resize(260, 300)
    shown.show()
    QApplication.processEvents()

    assert shown.items.horizontalScrollBar().maximum() == 0
    item = shown.items.visualItemRect(shown.items.item(0))
    assert item.width() <= shown.items.viewport().width()
    assert item.height() >= 3 * shown.fontMetrics().height()
    assert not shown.grab().isNull()
