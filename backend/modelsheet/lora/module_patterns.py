"""Match the patterns by which peft's settings choose modules.

They are regular expressions, and a file's author is a stranger: only expressions that cannot take
long are tried.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection

from modelsheet.errors import UnsafeModel

_LONGEST = 300
_MOST_REPEATS = 2  # the time of a search grows with the length of a name to this power
_MOST_REPEATING, _MOST = 16, 5000  # patterns of one file
# One character or class, repeated or not, beside groups that are not repeated.
_ATOM = r"(?:\\[dws.]|\[[\w.\\-]+\]|[\w.-])"
_REPEAT = re.compile(r"[*+?]")
_SIMPLE = re.compile(rf"(?:{_ATOM}[*+?]?|\((?:\?:)?|\)(?![*+?{{])|\||\^|\$)*")
_INNER = "text_model."  # a text encoder's inner module, in the names of some versions


def check_patterns(patterns: Collection[str]) -> None:
    """Raise UnsafeModel: there are too many, or one is no simple regular expression."""
    for pattern in patterns:
        _compiled(pattern)
    repeating = sum(1 for pattern in patterns if _REPEAT.search(pattern))
    if len(patterns) > _MOST or repeating > _MOST_REPEATING:
        raise UnsafeModel(
            f"The file sets its strengths by {len(patterns)} patterns, which are too many. Save it "
            "again without alpha_pattern."
        )


def matches_module(pattern: str, path: str) -> bool:
    """Tell whether peft's pattern matches the end of a module's path, from a dot on.

    Raises UnsafeModel: the pattern is no simple regular expression.
    """
    expression = _compiled(pattern)
    return any(expression.fullmatch(each) is not None for each in (path, _INNER + path))


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    repeats = len(_REPEAT.findall(pattern))
    if len(pattern) <= _LONGEST and repeats <= _MOST_REPEATS and _SIMPLE.fullmatch(pattern):
        try:
            return re.compile(rf"(.*\.)?({pattern})")
        except re.error:
            pass
    raise UnsafeModel(
        f"The file sets its strength by the pattern {pattern[:80]!r}, which cannot be read. "
        "Save it again without alpha_pattern."
    )
