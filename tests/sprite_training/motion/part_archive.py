"""Small archives of character parts drawn here: rectangles that stand for body, head and clothes.

The revised layout has the actions idle and walk alone; in the universal one only walk and slash
are drawn.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 64
OUTLINE = "101010ff"
SKINS = {"tan": "d0a080ff", "brown": "704830ff"}
CLOTHS = {"teal": "108080ff", "red": "c02020ff"}
GLASS = {"blue": "2040c080"}  # half clear
ACTIONS = {"idle": (0, 3, 4), "walk": (4, 4, 4)}
# type, design in the revised and the universal set, z, box (left, top, right, bottom), colours
_PARTS = (
    ("body", "rev_body", "body", 10, (26, 32, 38, 60), SKINS),
    ("head", "rev_head_02_masculine", "heads_human_male", 20, (24, 14, 40, 32), SKINS),
    ("clothes", "rev_shirt", "torso_shirt", 30, (26, 34, 38, 48), CLOTHS),
    ("shield", "rev_shield", "shield", 40, (34, 36, 44, 50), GLASS),
    ("shadow", "rev_shadow", "shadow", 5, (20, 58, 44, 62), GLASS),
)
SPLIT = {
    "designs": ["rev_cape"],
    "variants": {"cloth": ["teal"], "hair": ["violet"], "weapon": ["scythe"], "shield": ["oak"]},
}


def write_parts(path: Path, *, universal: bool = False) -> Path:
    """Write an archive of one body, "male"."""
    index: dict[str, object] = {} if universal else {"actions": ACTIONS}
    defs, sheets = [], {}
    with zipfile.ZipFile(path, "w") as archive:
        for kind, revised, name, z, box, colours in _PARTS:
            design = name if universal else revised
            layers = [{"z": z, "bodies": {"male": design}}]
            defs.append(
                {"design": design, "type": kind, "variants": list(colours), "layers": layers}
            )
            palettes = [f"00000000{OUTLINE}{colour}" for colour in colours.values()]
            file = f"{design}.png"
            sheets[design] = [{"file": file, "variants": list(colours), "palette": palettes}]
            archive.writestr(f"sheets/{file}", _sheet(box, universal=universal))
        archive.writestr("index.json", json.dumps({**index, "defs": defs, "sheets": sheets}))
    return path


def write_split(path: Path) -> Path:
    path.write_text(json.dumps(SPLIT))
    return path


def _sheet(box: tuple[int, int, int, int], *, universal: bool) -> bytes:
    """Draw a sheet of indices; a part moves a pixel to the right at each frame."""
    rows, columns, drawn = (21, 13, range(8, 16)) if universal else (8, 4, range(8))
    sheet = np.zeros((rows * SIZE, columns * SIZE), np.uint8)
    left, top, right, bottom = box
    for row in drawn:
        for column in range(columns):
            y, x = row * SIZE, column * SIZE + column % 4
            sheet[y + top : y + bottom, x + left : x + right] = 1
            sheet[y + top + 1 : y + bottom - 1, x + left + 1 : x + right - 1] = 2
    content = io.BytesIO()
    Image.fromarray(sheet).save(content, "PNG")
    return content.getvalue()
