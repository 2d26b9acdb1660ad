"""Handles and mentions are computed alike on both sides."""

from __future__ import annotations

import pytest

from modelsheet.subjects.handles import find_mentions, handle_of

from modelsheet_krita import mentions  # isort: skip
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
    assert mentions.handle(name) == handle_of(name)


@pytest.mark.parametrize(
    "prompt",
    [
        "@hero, holding sword; @Orc(red) and ann@hero.org",
        "@anna/hero beside @герой_2. @@x @ y",
        "@राम|@e\u0301va @_",
    ],
)
def test_mentions_are_the_backends(prompt: str) -> None:
    found = [(one.start, one.end) for one in mentions.find_mentions(prompt)]
    assert found == [(one.start, one.end) for one in find_mentions(prompt) if one.handle]


def test_a_mention_is_renamed_whatever_stands_beside_it() -> None:
    prompt = "@hero, with sword, @hero2 and @anna/hero (@hero)"

    assert mentions.rename(prompt, "hero", "knight") == (
        "@knight, with sword, @hero2 and @anna/hero (@knight)"
    )


def test_control_characters_are_refused() -> None:
    assert (
        subject_names.name_error("a\nb", ())
        == "The name must be one line of plain text. Type it again."
    )
