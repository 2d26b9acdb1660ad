"""How the talk with the backend stands, and what ends it."""

from __future__ import annotations

from dataclasses import dataclass

from .api_responses import Capabilities


@dataclass(frozen=True)
class LinkState:
    """`phase`: idle, looking, starting, connected or down; then `sentence` says what to do."""

    phase: str
    sentence: str = ""
    capabilities: Capabilities | None = None


class Stopped(Exception):
    """The link is being closed."""


class Turned(Exception):
    """The link leaves the present backend."""
