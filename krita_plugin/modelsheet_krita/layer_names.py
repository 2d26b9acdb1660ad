"""Tell the names that programs give to layers from those that say what a layer shows."""

from __future__ import annotations

import re

# Words of Krita's, Photoshop's, GIMP's and Procreate's own names, English and Russian.
DEFAULT_WORDS = frozenset(
    [
        "paint",
        "vector",
        "group",
        "clone",
        "file",
        "fill",
        "filter",
        "layer",
        "background",
        "copy",
        "of",
        "merged",
        "reference",
        "image",
        "picture",
        "frame",
        "untitled",
        "new",
        "слой",
        "слоя",
        "рисования",
        "векторный",
        "группа",
        "клонированный",
        "заливка",
        "фильтр",
        "фон",
        "копия",
        "новый",
        "кадр",
        "изображение",
        "объединённый",
        "объединенный",
    ]
)


def is_default_name(name: str) -> bool:
    """Return True for a name like "Paint Layer 3" or "Background", which says nothing."""
    return set(re.findall(r"[^\W\d_]+", name.lower())) <= DEFAULT_WORDS
