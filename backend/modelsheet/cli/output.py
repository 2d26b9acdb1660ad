"""Print to the terminal. Words of strangers' files pass here, so no control character does."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import unicodedata
from collections.abc import Iterator

_KEPT = "\n\t"
# They turn the direction of what follows, which hides what a line says.
_DIRECTION_MARKS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def printable(text: str) -> str:
    r"""Escape control characters, with which a text could steer the terminal, as in \x1b."""
    return "".join(_escaped(c) if _is_control(c) else c for c in text)


def say(text: str) -> None:
    """Print a text on standard output."""
    print(printable(text), flush=True)


def say_error(text: str) -> None:
    """Print a text on standard error."""
    print(f"modelsheet: {printable(text)}", file=sys.stderr, flush=True)


def flush() -> None:
    """Write what standard output, where there is one, still holds back. Raises OSError."""
    print(end="", flush=True)


def discard_unwritten() -> None:
    """Keep Python from trying again at exit to write what standard output refused."""
    try:
        flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def notes_on_images() -> Iterator[None]:
    """Print what the readers of image files note, such as frames or layers that are left out."""
    loggers = [logging.getLogger(f"modelsheet.{name}") for name in ("imaging", "client.references")]
    handler = _Notes(logging.WARNING)
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say_error(record.getMessage())


def _is_control(character: str) -> bool:
    is_control = unicodedata.category(character) in ("Cc", "Zl", "Zp")
    return (is_control and character not in _KEPT) or character in _DIRECTION_MARKS


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
