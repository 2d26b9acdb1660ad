"""Tell the names that programs give to layers from those that say what a layer shows."""

from __future__ import annotations

import re

# Words of Krita's, Photoshop's, GIMP's and Procreate's own names, in ten languages.
DEFAULT_NAME = re.compile(
    r"""(?: paint | vector | group | clone | file | fill | filter | layer | background | copy | of
    | merged | reference | image | picture | frame | untitled | new
    | сло[йя] | рисования | векторный | группа | клон(?:ированный)? | заливка | фильтр | фон
    | копия | новый | кадр | изображение | объедин[её]нный | шар | тло
    | (?:mal)?ebene | gruppe | hintergrund | kopie | von | calque | groupe | fond | copie | de
    | capa | grupo | fondo | fundo | copia | cópia | livello | sfondo | warstwa | tło | kopia
    | レイヤー | 背景 | グループ | 图层 | 組 | 组 | [\W\d_] )*""",
    re.IGNORECASE | re.VERBOSE,
)


def is_default_name(name: str) -> bool:
    """Return True for a name like "Paint Layer 3" or "Background", which says nothing."""
    return DEFAULT_NAME.fullmatch(name) is not None
