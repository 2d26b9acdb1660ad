"""What the docker remembers for the artist from one Krita to the next: prompts, presets, what was
removed. Krita's settings keep it; pictures and tokens are not here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Callable

from ..ui.generation_settings import Knobs, read_knobs

MOST_PROMPTS = 50
MOST_DISCARDED = 500


class Memory:
    """`read` and `write` get and set a text by its name, where it outlives Krita."""

    def __init__(self, read: Callable[[str], str], write: Callable[[str, str], None]) -> None:
        self._read, self._write = read, write

    def history(self) -> list[str]:
        """The prompts, newest first."""
        return self._list("history")

    def remember_prompt(self, prompt: str) -> None:
        others = [one for one in self.history() if one != prompt]
        self._keep("history", [prompt, *others][:MOST_PROMPTS])

    def presets(self) -> dict[str, Knobs]:
        told = self._load("presets")
        if not isinstance(told, dict):
            return {}
        return {name: read_knobs(one) for name, one in told.items() if isinstance(one, dict)}

    def save_preset(self, name: str, knobs: Knobs) -> None:
        presets = {**self.presets(), name: knobs}
        self._keep("presets", {key: asdict(one) for key, one in presets.items()})

    def drop_preset(self, name: str) -> None:
        presets = self.presets()
        presets.pop(name, None)
        self._keep("presets", {key: asdict(one) for key, one in presets.items()})

    def discarded(self) -> set[str]:
        """The names of the results that the artist removed from the list."""
        return set(self._list("discarded"))

    def discard(self, names: Iterable[str]) -> None:
        self._keep("discarded", [*self._list("discarded"), *names][-MOST_DISCARDED:])

    def _list(self, name: str) -> list[str]:
        told = self._load(name)
        return [str(one) for one in told] if isinstance(told, list) else []

    def _load(self, name: str) -> Any:
        try:
            return json.loads(self._read(name) or "null")
        except ValueError:
            return None  # edited by hand: begin anew

    def _keep(self, name: str, value: Any) -> None:
        self._write(name, json.dumps(value))
