"""Contact sheets: labelled pictures in tidy grids. Pixel art is enlarged by whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from modelsheet.imaging.rgba import Colour, enlarge_pixels, resize

_PAPER: Colour = (250, 249, 246)
_CARD: Colour = (236, 237, 240)
_INK: Colour = (38, 40, 48)
_FAINT_INK: Colour = (112, 116, 128)
_GAP = 12
_MARGIN = 24
_LABEL_SIZE = 14  # px
_TITLE_SIZE = 18
_LINE = 1.25  # line height in font sizes
_MOST_LINES = 2


@dataclass(frozen=True)
class Cell:
    """One picture and the words below it; `note` stands after them in a fainter ink."""

    image: Image.Image
    label: str = ""
    note: str = ""


@dataclass(frozen=True)
class Section:
    """Cells row by row under a title."""

    title: str
    cells: Sequence[Cell]
    columns: int


def draw_contact_sheet(sections: Sequence[Section], *, cell_size: int = 160) -> Image.Image:
    """Draw sections side by side, each picture in a card of `cell_size` px. Gives RGB."""
    label_height = _label_height([cell for section in sections for cell in section.cells])
    drawn = [_draw_section(section, cell_size, label_height) for section in sections]
    width = sum(image.width for image in drawn) + _MARGIN * (len(drawn) + 1)
    height = max(image.height for image in drawn) + 2 * _MARGIN
    sheet = Image.new("RGB", (width, height), _PAPER)
    left = _MARGIN
    for image in drawn:
        sheet.paste(image, (left, _MARGIN))
        left += image.width + _MARGIN
    return sheet


def draw_axis_grid(
    pictures: Sequence[Image.Image],
    across: tuple[str, Sequence[str]],
    down: tuple[str, Sequence[str]],
    *,
    cell_size: int = 128,
) -> Image.Image:
    """Draw pictures row by row with the name and the values of both axes beside them. Gives RGB."""
    name, values = across
    titles = [f"{down[0]} {row}" for row in down[1]]
    left = _MARGIN + round(max(_text_width(title) for title in titles)) + _GAP
    top = _MARGIN + 2 * round(_LABEL_SIZE * _LINE) + _GAP
    step = cell_size + _GAP
    grid = Image.new(
        "RGB",
        (left + len(values) * step - _GAP + _MARGIN, top + len(titles) * step - _GAP + _MARGIN),
        _PAPER,
    )
    pencil = ImageDraw.Draw(grid)
    pencil.text((left, _MARGIN), name, _FAINT_INK, _font(_LABEL_SIZE))
    for column, value in enumerate(values):
        below = _MARGIN + round(_LABEL_SIZE * _LINE)
        pencil.text((left + column * step, below), value, _INK, _font(_LABEL_SIZE))
    for row, title in enumerate(titles):
        middle = top + row * step + (cell_size - _LABEL_SIZE) // 2
        pencil.text((_MARGIN, middle), title, _INK, _font(_LABEL_SIZE))
    for index, picture in enumerate(pictures):
        row, column = divmod(index, len(values))
        _draw_card(grid, picture, (left + column * step, top + row * step), cell_size)
    return grid


def draw_sprite_sheet(pictures: Sequence[Image.Image], columns: int) -> Image.Image:
    """Put frames of one size edge to edge, row by row; RGBA, without words, for a game engine."""
    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGBA", (width * columns, height * rows))
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        sheet.paste(picture, (column * width, row * height))
    return sheet


def _draw_section(section: Section, cell_size: int, label_height: int) -> Image.Image:
    """`label_height` is common to all sections, so that their rows stand in line."""
    rows = -(-len(section.cells) // section.columns)
    across, down = cell_size + _GAP, cell_size + label_height + _GAP
    top = round(_TITLE_SIZE * _LINE) + _GAP
    size = (section.columns * across - _GAP, top + rows * down - _GAP)
    image = Image.new("RGB", size, _PAPER)
    pencil = ImageDraw.Draw(image)
    pencil.text((0, 0), section.title, _INK, _font(_TITLE_SIZE))
    for index, cell in enumerate(section.cells):
        row, column = divmod(index, section.columns)
        _draw_cell(image, cell, (column * across, top + row * down), cell_size)
    return image


def _draw_cell(sheet: Image.Image, cell: Cell, place: tuple[int, int], size: int) -> None:
    left, top = place
    pencil = ImageDraw.Draw(sheet)
    _draw_card(sheet, cell.image, place, size)
    lines = _wrapped(cell.label, size)
    for number, line in enumerate(lines):
        pencil.text((left, _line_top(top + size, number)), line, _INK, _font(_LABEL_SIZE))
    if cell.note:
        below = _line_top(top + size, len(lines))
        pencil.text((left, below), cell.note, _FAINT_INK, _font(_LABEL_SIZE))


def _draw_card(sheet: Image.Image, picture: Image.Image, place: tuple[int, int], size: int) -> None:
    left, top = place
    ImageDraw.Draw(sheet).rectangle((left, top, left + size - 1, top + size - 1), fill=_CARD)
    shown = fit_square(picture.convert("RGBA"), size)
    x, y = left + (size - shown.width) // 2, top + (size - shown.height) // 2
    sheet.paste(shown, (x, y), shown)


def fit_square(image: Image.Image, size: int) -> Image.Image:
    """Enlarge by the largest whole number that fits a square of `size` px, or else scale down."""
    longest = max(image.size)
    if longest <= size:
        return enlarge_pixels(image, size // longest)
    width, height = (max(1, round(side * size / longest)) for side in image.size)
    return resize(image, width, height)


def _label_height(cells: Sequence[Cell]) -> int:
    has_words = any(cell.label for cell in cells)
    has_notes = any(cell.note for cell in cells)
    lines = _MOST_LINES * has_words + has_notes
    return _line_top(0, lines)


def _line_top(picture_bottom: int, number: int) -> int:
    return picture_bottom + _GAP // 2 + round(number * _LABEL_SIZE * _LINE)


def _wrapped(text: str, width: int) -> list[str]:
    """Break the text into at most two lines of `width` px; what does not fit becomes …"""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _text_width(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], f"{lines[_MOST_LINES - 1]} …"]
    return [_cut(line, width) for line in lines]


def _cut(line: str, width: int) -> str:
    while _text_width(line) > width and len(line) > 1:
        line = line.rstrip("…").rstrip()[:-1] + "…"
    return line


def _text_width(text: str) -> float:
    return _font(_LABEL_SIZE).getlength(text)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
