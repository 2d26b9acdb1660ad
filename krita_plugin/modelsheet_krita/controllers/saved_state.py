"""State that Krita's settings keep from one session to the next: prompts, presets, removed results.

Images and tokens are not part of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Callable

from ..ui.generation_settings import GenerationSettings, decode_settings

MOST_PROMPTS = 50
MOST_DISCARDED = 500


class SavedState:
    """Values encoded as JSON; `read` and `write` get and set a text in Krita's settings."""

    def __init__(self, read: Callable[[str], str], write: Callable[[str, str], None]) -> None:
        self._read, self._write = read, write

    def history(self) -> list[str]:
        """Return the prompts, newest first."""
        return self._load_list("history")

    def remember_prompt(self, prompt: str) -> None:
        """Put the prompt at the beginning of the history."""
        others = [one for one in self.history() if one != prompt]
        self._save("history", [prompt, *others][:MOST_PROMPTS])

    def presets(self) -> dict[str, GenerationSettings]:
        """Return the artist's presets by name."""
        entries = self._load("presets")
        if not isinstance(entries, dict):
            return {}
        return {
            name: decode_settings(entry)
            for name, entry in entries.items()
            if isinstance(entry, dict)
        }

    def save_preset(self, name: str, settings: GenerationSettings) -> None:
        """Add a preset or replace the one of that name."""
        self._save_presets({**self.presets(), name: settings})

    def drop_preset(self, name: str) -> None:
        """Remove a preset."""
        self._save_presets({key: one for key, one in self.presets().items() if key != name})

    def discarded(self) -> set[str]:
        """Return the names of the results that the artist removed from the gallery."""
        return set(self._load_list("discarded"))

    def discard(self, names: Iterable[str]) -> None:
        """Add names of removed results."""
        self._save("discarded", [*self._load_list("discarded"), *names][-MOST_DISCARDED:])

    def _save_presets(self, presets: dict[str, GenerationSettings]) -> None:
        self._save("presets", {key: asdict(one) for key, one in presets.items()})

    def _load_list(self, name: str) -> list[str]:
        entries = self._load(name)
        return [str(one) for one in entries] if isinstance(entries, list) else []

    def _load(self, name: str) -> Any:
        try:
            return json.loads(self._read(name) or "null")
        except ValueError:
            return None  # edited by hand: begin anew

    def _save(self, name: str, value: Any) -> None:
        self._write(name, json.dumps(value))
