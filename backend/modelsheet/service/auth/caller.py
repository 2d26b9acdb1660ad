"""The caller of a request: the operator, who runs the service, or an artist with a token."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """An artist, by `name`, or the operator, who has no name and sees everything."""

    name: str = ""

    @property
    def is_operator(self) -> bool:
        """Return True for the operator."""
        return not self.name

    @property
    def scope(self) -> str | None:
        """Return the owner whose jobs and subjects are seen, None for those of all."""
        return self.name or None

    def sees(self, owner: str) -> bool:
        """Return True if the caller may see the jobs and subjects of an owner."""
        return self.is_operator or owner == self.name


OPERATOR = Caller()
