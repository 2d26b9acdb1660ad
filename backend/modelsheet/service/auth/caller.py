"""Who asks: the one who runs the service, or an artist with a token of their own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """`name` is the artist's; the one who runs the service has none, and sees everything."""

    name: str = ""

    @property
    def is_operator(self) -> bool:
        return not self.name

    @property
    def scope(self) -> str | None:
        """Whose things are seen: None means everybody's."""
        return self.name or None

    def sees(self, owner: str) -> bool:
        return self.is_operator or owner == self.name


OPERATOR = Caller()
