"""Print a benchmark's results on standard output."""

from __future__ import annotations


def print_line(line: str) -> None:
    """Print a line at once, also where the output is no terminal."""
    print(line, flush=True)  # noqa: T201 -- a program, asked for its results
