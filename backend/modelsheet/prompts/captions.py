"""Training prompts: instance prompts, class prompts, and captions from layer names. No torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelsheet.api.types import Family
from modelsheet.imaging.rgba import Colour

# Names that programs give to layers by themselves.
_GENERIC_NAME = re.compile(
    r"^(?:paint |vector |clone |file |fill |group |neue |merged |copy of |background|untitled"
    r"|layer|image|img|picture|frame|ebene|слой|calque|capa|merged|plain|base|front|default|new"
    r"|[-_.\s\d#()]|copy|png|jpe?g|webp)*$",
    re.IGNORECASE,
)
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
        words = [phrase if self.family == "sprite32" else f"a photo of {phrase}"]
        words += [part for part in (caption, background_words(background, self.family)) if part]
        return ", ".join(words)


def background_words(colour_name: str | None, family: Family) -> str:
    """Return a caption's words for a flat background; "" without one."""
    if colour_name is None:
        return ""
    return f"on a {'' if family == 'sprite32' else 'plain '}{colour_name} background"


def caption_from_layer_name(layer_name: str) -> str:
    """Turn a layer's name into a caption; "" for generic names like "Paint Layer 3"."""
    name = re.sub(r"\.(png|jpe?g|webp|kra|ora)$", "", layer_name.strip(), flags=re.IGNORECASE)
    if _GENERIC_NAME.match(name):
        return ""
    return re.sub(r"[\s_]+", " ", name).strip(" ,.;-").lower()


def class_prompts(template: PromptTemplate) -> Sequence[str]:
    """Return varied prompts without the identifier, for prior preservation and to measure drift."""
    backgrounds = list(FLAT_BACKGROUNDS)
    if template.family != "sprite32":
        return [template.class_prompt(detail) for detail in _PHOTO_DETAILS]
    return [
        template.class_prompt(detail, backgrounds[index % 3] if index % 4 else "white")
        for index, detail in enumerate(_SPRITE_DETAILS)
    ]
