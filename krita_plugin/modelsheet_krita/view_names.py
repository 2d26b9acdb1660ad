"""Tell from a layer's name which side of a character it shows."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .i18n import tr

VIEWS = ("front", "left", "back", "right")
WORDS = {
    "front": "front face down south f спереди перед передний фронт анфас лицо лицом",
    "left": "left west l слева лево влево левый левая лев",
    "back": "back rear behind up north b сзади зад задний спина спиной",
    "right": "right east r справа право вправо правый правая прав",
}
_VIEW_OF = {word: view for view, words in WORDS.items() for word in words.split()}
_WORD = re.compile(r"[A-ZА-ЯЁ]?[a-zа-яё]+|[A-ZА-ЯЁ]+(?![a-zа-яё])")


def title_of(view: str) -> str:
    """Return a view's name in the artist's language, which `view_in` understands."""
    return {
        "front": tr("front"),
        "left": tr("left"),
        "back": tr("back"),
        "right": tr("right"),
    }[view]


def view_in(name: str) -> str:
    """Return the view that a word of the name says, or an empty string."""
    words = (word.lower() for word in _WORD.findall(name))
    return next((_VIEW_OF[word] for word in words if word in _VIEW_OF), "")


def without_view(name: str) -> str:
    """Return the name without the words that say a view, such as "Hero" for "Hero, front"."""
    rest = _WORD.sub(lambda word: "" if word[0].lower() in _VIEW_OF else word[0], name)
    return " ".join(rest.split()).strip(" ,.:;-_()[]")


def guess_views(names: Sequence[str]) -> list[str]:
    """Guess the views of up to four drawings, each once: by their names, the rest front first."""
    found: list[str] = []
    for name in names:
        view = view_in(name)
        found.append("" if view in found else view)
    free = [view for view in VIEWS if view not in found]
    return [view or free.pop(0) for view in found[: len(VIEWS)]]
