"""Training prompts: instance prompts, class prompts, and captions from layer names. No torch."""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelsheet.api.types import Family
from modelsheet.base_models.families import is_pixel_art
from modelsheet.imaging.rgba import Colour
from modelsheet.subjects.handles import is_word_character

# Words of the names that Krita gives to layers by itself, in 75 languages, and that cameras and
# screenshots give to files; connectives stand between them.
_DEFAULT_NAMES = Path(__file__).parent / "default_layer_names.json"
# Those of sprite32's training captions; an SD base knows these colours as well.
FLAT_BACKGROUNDS: Mapping[str, Colour] = {
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "black": (0, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "magenta": (255, 0, 255),
}
_SPRITE_DETAILS = (
    "",
    "holding sword",
    "holding staff",
    "holding dagger",
    "holding bow",
    "with red book",
    "with round buckler",
    "wearing red robe",
    "wearing leather armour",
    "wearing green gold robe",
    "black cloak",
    "blue wizard hat",
)
_PHOTO_DETAILS = (
    "",
    "in a garden",
    "on a wooden table",
    "on a beach",
    "in the snow",
    "in a city street",
    "seen from above",
    "close up",
)


@dataclass(frozen=True)
class PromptTemplate:
    """Prompts of one subject: "a photo of qxz cat" or, for sprites, "qxz elf woman"."""

    identifier: str
    class_noun: str
    family: Family

    def instance_prompt(self, caption: str, background: str | None) -> str:
        return self._prompt(f"{self.identifier} {self.class_noun}", caption, background)

    def class_prompt(self, caption: str = "", background: str | None = None) -> str:
        return self._prompt(self.class_noun, caption, background)

    def _prompt(self, phrase: str, caption: str, background: str | None) -> str:
        words = [phrase if is_pixel_art(self.family) else f"a photo of {phrase}"]
        words += [part for part in (caption, background_words(background, self.family)) if part]
        return ", ".join(words)


def background_words(colour_name: str | None, family: Family) -> str:
    """Return a caption's words for a flat background; "" without one."""
    if colour_name is None:
        return ""
    return f"on a {'' if is_pixel_art(family) else 'plain '}{colour_name} background"


def caption_from_layer_name(layer_name: str) -> str:
    """Turn a layer's name into a caption; "" for names that say nothing, like "Paint Layer 3"."""
    name = re.sub(r"\.(png|jpe?g|webp|kra|ora)$", "", layer_name.strip(), flags=re.IGNORECASE)
    if _says_nothing(name):
        return ""
    name = re.sub(r"\s*\(\d+\)$", "", name)  # of a second download
    return re.sub(r"[\s_]+", " ", name).strip(" ,.;-").lower()


def _says_nothing(name: str) -> bool:
    """Return True if no word is left beside numbers and those of default names."""
    names, connectives = _default_words()
    letters = "".join(c if is_word_character(c) and not c.isdigit() else " " for c in name)
    words = [
        word
        for word in unicodedata.normalize("NFC", letters.casefold()).replace("_", " ").split()
        if len(word) > 1 or not word.isascii()
    ]
    rest = [word for word in words if word not in names]
    return not rest or (len(rest) < len(words) and set(rest) <= connectives)


@functools.cache
def _default_words() -> tuple[frozenset[str], frozenset[str]]:
    words = json.loads(_DEFAULT_NAMES.read_text("utf-8"))
    return frozenset(words["names"]), frozenset(words["connectives"])


def class_prompts(template: PromptTemplate) -> Sequence[str]:
    """Return varied prompts without the identifier, for prior preservation and to measure drift."""
    backgrounds = list(FLAT_BACKGROUNDS)
    if not is_pixel_art(template.family):
        return [template.class_prompt(detail) for detail in _PHOTO_DETAILS]
    return [
        template.class_prompt(detail, backgrounds[index % 3] if index % 4 else "white")
        for index, detail in enumerate(_SPRITE_DETAILS)
    ]
