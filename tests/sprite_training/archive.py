"""A small archive of tiles drawn here: coloured shapes that stand for species, clothes and
weapons.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw

_COLOURS = {"red": (200, 40, 40), "green": (40, 160, 60), "blue": (50, 70, 200)}
_SPECIES = {"human man": (220, 180, 150), "orc woman": (90, 150, 70), "imp": (180, 60, 90)}
_SHAPES = {
    "cloak": ((8, 8, 24, 30), "{} cloak"),
    "body": ((11, 12, 21, 22), "wearing {} robe"),
    "hand1": ((3, 8, 6, 26), "holding {} staff"),
    "hand2": ((23, 14, 29, 22), "with {} book"),
    "head": ((12, 3, 20, 6), "{} hood"),
}


def write_archive(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        rows = []
        for number, (kind, phrase, picture) in enumerate(_tiles()):
            name = f"{kind}/{number}.png"
            content = io.BytesIO()
            picture.save(content, "PNG")
            archive.writestr(name, content.getvalue())
            rows.append((name, kind, phrase, phrase, "1"))
        table = io.StringIO()
        csv.writer(table).writerows([("path", "kind", "name", "phrase", "core"), *rows])
        archive.writestr("captions.csv", table.getvalue())
    return path


def _tiles() -> Iterator[tuple[str, str, Image.Image]]:
    for phrase, colour in _SPECIES.items():
        yield "player/base", phrase, _drawn([((12, 4, 20, 12), colour), ((13, 12, 19, 30), colour)])
    for part, (box, words) in _SHAPES.items():
        for name, colour in _COLOURS.items():
            yield f"player/{part}", words.format(name), _drawn([(box, colour)])
    for name, colour in _COLOURS.items():
        yield "monster", f"{name} slime", _drawn([((6, 16, 26, 30), colour)])
        yield "terrain/floor", f"on {name} floor", _drawn([((0, 0, 31, 31), colour)])


def _drawn(shapes: list[tuple[tuple[int, int, int, int], tuple[int, int, int]]]) -> Image.Image:
    picture = Image.new("RGBA", (32, 32))
    for box, colour in shapes:
        ImageDraw.Draw(picture).rectangle(box, fill=(*colour, 255), outline=(20, 20, 20, 255))
    return picture
