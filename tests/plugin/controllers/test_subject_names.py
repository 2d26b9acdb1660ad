"""Handles are computed alike on both sides."""

from __future__ import annotations

import pytest

from modelsheet.subjects.handles import handle_of

from modelsheet_krita.controllers import subject_names  # isort: skip


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Hero",
            "red/knight 🗡",
            "__a__b",
            "Straße 9",
            "Герой",
            "  x  ",
            "🔥",
            "a-b_c.d",
            "⚔️ Hero",
        ),
        *("राम", "สวัสดี", "שָׁלוֹם", "A\u0308rger", "می\u200cخواهم", "İstanbul", "\u0301x"),
    ],
)
def test_handle_is_the_backends(name: str) -> None:
    assert subject_names.handle(name) == handle_of(name)


def test_control_characters_are_refused() -> None:
    assert (
        subject_names.name_error("a\nb", ())
        == "The name must be one line of plain text. Type it again."
    )
