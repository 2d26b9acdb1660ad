"""State that Krita's settings keep from one session to the next: prompts, presets, and what the
artist did with results.

Images and tokens are not part of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Callable

from ..image import Placement
from ..results.result import Origin
from ..ui.generation_settings import GenerationSettings, decode_settings

MOST_PROMPTS = 50
MOST_SAVED_PROMPTS = 100
MOST_NAMES = 2000  # of removed results, and of those with a star
MOST_ORIGINS = 500
MOST_FILES = 200


@dataclass(frozen=True)
class SavedPrompt:
    """Prompt that the artist saved, with its negative prompt."""

    text: str
    negative: str = ""


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

    def saved_prompts(self) -> list[SavedPrompt]:
        """Return the saved prompts, newest first."""
        entries = self._load("prompts")
        pairs = [one for one in entries if _is_strings(one)] if isinstance(entries, list) else []
        return [SavedPrompt(*pair) for pair in pairs]

    def save_prompt(self, prompt: SavedPrompt) -> None:
        """Put the prompt at the beginning of the saved ones."""
        others = [one for one in self.saved_prompts() if one.text != prompt.text]
        self._save_prompts([prompt, *others])

    def drop_prompt(self, text: str) -> None:
        """Remove a saved prompt."""
        self._save_prompts([one for one in self.saved_prompts() if one.text != text])

    def discarded(self) -> set[str]:
        """Return the names of the results that the artist removed from the gallery."""
        return set(self._load_list("discarded"))

    def discard(self, names: Iterable[str]) -> None:
        """Add names of removed results."""
        self._save("discarded", [*self._load_list("discarded"), *names][-MOST_NAMES:])

    def restore(self, names: Iterable[str]) -> None:
        """Forget that these results were removed."""
        restored = set(names)
        kept = [one for one in self._load_list("discarded") if one not in restored]
        self._save("discarded", kept)

    def starred(self) -> set[str]:
        """Return the names of the results with a star."""
        return set(self._load_list("starred"))

    def set_starred(self, names: Iterable[str], is_starred: bool) -> None:
        """Give these results a star, or take it away."""
        changed = list(names)
        kept = [one for one in self._load_list("starred") if one not in changed]
        self._save("starred", [*kept, *(changed if is_starred else ())][-MOST_NAMES:])

    def origins(self) -> dict[str, Origin]:
        """Return where the images of jobs belong, by the jobs' ids."""
        found = {}
        for job_id, entry in self._load_mapping("origins").items():
            try:
                document_id, *numbers = entry
                found[job_id] = Origin(str(document_id), Placement(*map(int, numbers)))
            except (TypeError, ValueError):  # edited by hand
                continue
        return found

    def remember_origin(self, job_id: str, origin: Origin) -> None:
        """Store where a job's images belong."""
        entry = [origin.document_id, *asdict(origin.placement).values()]
        self._save_newest("origins", job_id, entry, MOST_ORIGINS)

    def previews(self) -> bool:
        """Return True if the selected result is shown on the canvas."""
        return self._load("previews") is not False

    def set_previews(self, previews: bool) -> None:
        """Store whether the selected result is shown on the canvas."""
        self._save("previews", previews)

    def shows_all_documents(self) -> bool:
        """Return True if the gallery shows the results of all documents."""
        return self._load("all_documents") is True

    def set_shows_all_documents(self, shows_all: bool) -> None:
        """Store whether the gallery shows the results of all documents."""
        self._save("all_documents", shows_all)

    def document_id(self, path: str) -> str:
        """Return the id of the document in that file, or an empty string."""
        return str(self._load_mapping("files").get(path, ""))

    def remember_file(self, path: str, document_id: str) -> None:
        """Store the id of the document in that file."""
        if self.document_id(path) != document_id:
            self._save_newest("files", path, document_id, MOST_FILES)

    def _save_newest(self, name: str, key: str, value: Any, most: int) -> None:
        """Store a value under a key of the mapping `name`, which keeps the newest ones."""
        entries = {old: one for old, one in self._load_mapping(name).items() if old != key}
        self._save(name, dict([*entries.items(), (key, value)][-most:]))

    def _save_prompts(self, prompts: list[SavedPrompt]) -> None:
        pairs = [[one.text, one.negative] for one in prompts[:MOST_SAVED_PROMPTS]]
        self._save("prompts", pairs)

    def _save_presets(self, presets: dict[str, GenerationSettings]) -> None:
        self._save("presets", {key: asdict(one) for key, one in presets.items()})

    def _load_list(self, name: str) -> list[str]:
        entries = self._load(name)
        return [str(one) for one in entries] if isinstance(entries, list) else []

    def _load_mapping(self, name: str) -> Mapping[str, Any]:
        entries = self._load(name)
        return entries if isinstance(entries, dict) else {}

    def _load(self, name: str) -> Any:
        try:
            return json.loads(self._read(name) or "null")
        except ValueError:
            return None  # edited by hand: begin anew

    def _save(self, name: str, value: Any) -> None:
        self._write(name, json.dumps(value))


def _is_strings(entry: object) -> bool:
    return isinstance(entry, list) and len(entry) == 2 and all(isinstance(e, str) for e in entry)
