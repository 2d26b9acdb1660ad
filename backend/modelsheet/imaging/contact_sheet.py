"""Draw contact sheets: grids of labelled images. Pixel art is enlarged by whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from modelsheet.imaging.rgba import Colour, enlarge_pixels, resize

_BACKGROUND: Colour = (250, 249, 246)
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
    """An image with a label below it, and a `note` below that in a fainter colour."""

    image: Image.Image
    label: str = ""
    note: str = ""


@dataclass(frozen=True)
class Section:
    """Cells in rows of `columns` under a title."""

    title: str
    cells: Sequence[Cell]
    columns: int


def draw_contact_sheet(sections: Sequence[Section], *, cell_size: int = 160) -> Image.Image:
    """Draw sections side by side, each image on a card of `cell_size` px. Returns RGB."""
    label_height = _label_height([cell for section in sections for cell in section.cells])
    drawn = [_draw_section(section, cell_size, label_height) for section in sections]
    width = sum(image.width for image in drawn) + _MARGIN * (len(drawn) + 1)
    height = max(image.height for image in drawn) + 2 * _MARGIN
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    left = _MARGIN
    for image in drawn:
        sheet.paste(image, (left, _MARGIN))
        left += image.width + _MARGIN
    return sheet


def draw_axis_grid(
    images: Sequence[Image.Image],
    across: tuple[str, Sequence[str]],
    down: tuple[str, Sequence[str]],
    *,
    cell_size: int = 128,
) -> Image.Image:
    """Draw images row by row, with names and values of both axes beside them. Returns RGB."""
    name, values = across
    titles = [f"{down[0]} {row}" for row in down[1]]
    left = _MARGIN + round(max(_text_width(title) for title in titles)) + _GAP
    top = _MARGIN + 2 * round(_LABEL_SIZE * _LINE) + _GAP
    step = cell_size + _GAP
    grid = Image.new(
        "RGB",
        (left + len(values) * step - _GAP + _MARGIN, top + len(titles) * step - _GAP + _MARGIN),
        _BACKGROUND,
    )
    pencil = ImageDraw.Draw(grid)
    pencil.text((left, _MARGIN), name, _FAINT_INK, _font(_LABEL_SIZE))
    for column, value in enumerate(values):
        below = _MARGIN + round(_LABEL_SIZE * _LINE)
        pencil.text((left + column * step, below), value, _INK, _font(_LABEL_SIZE))
    for row, title in enumerate(titles):
        middle = top + row * step + (cell_size - _LABEL_SIZE) // 2
        pencil.text((_MARGIN, middle), title, _INK, _font(_LABEL_SIZE))
    for index, image in enumerate(images):
        row, column = divmod(index, len(values))
        _draw_card(grid, image, (left + column * step, top + row * step), cell_size)
    return grid


def draw_sprite_sheet(images: Sequence[Image.Image], columns: int, padding: int = 0) -> Image.Image:
    """Draw frames of one size row by row, `padding` transparent px around each: an RGBA sprite
    sheet for game engines.
    """
    width, height = (side + 2 * padding for side in images[0].size)
    rows = -(-len(images) // columns)
    sheet = Image.new("RGBA", (width * columns, height * rows))
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        sheet.paste(image, (column * width + padding, row * height + padding))
    return sheet


def _draw_section(section: Section, cell_size: int, label_height: int) -> Image.Image:
    """Draw a section; one `label_height` for all sections keeps their rows aligned."""
    rows = -(-len(section.cells) // section.columns)
    across, down = cell_size + _GAP, cell_size + label_height + _GAP
    top = round(_TITLE_SIZE * _LINE) + _GAP
    size = (section.columns * across - _GAP, top + rows * down - _GAP)
    image = Image.new("RGB", size, _BACKGROUND)
    pencil = ImageDraw.Draw(image)
    pencil.text((0, 0), section.title, _INK, _font(_TITLE_SIZE))
    for index, cell in enumerate(section.cells):
        row, column = divmod(index, section.columns)
        _draw_cell(image, cell, (column * across, top + row * down), cell_size)
    return image


def _draw_cell(sheet: Image.Image, cell: Cell, position: tuple[int, int], size: int) -> None:
    left, top = position
    pencil = ImageDraw.Draw(sheet)
    _draw_card(sheet, cell.image, position, size)
    lines = _wrapped(cell.label, size)
    for number, line in enumerate(lines):
        pencil.text((left, _line_top(top + size, number)), line, _INK, _font(_LABEL_SIZE))
    if cell.note:
        below = _line_top(top + size, len(lines))
        pencil.text((left, below), cell.note, _FAINT_INK, _font(_LABEL_SIZE))


def _draw_card(
    sheet: Image.Image, image: Image.Image, position: tuple[int, int], size: int
) -> None:
    left, top = position
    ImageDraw.Draw(sheet).rectangle((left, top, left + size - 1, top + size - 1), fill=_CARD)
    scaled = fit_square(image.convert("RGBA"), size)
    x, y = left + (size - scaled.width) // 2, top + (size - scaled.height) // 2
    sheet.paste(scaled, (x, y), scaled)


def fit_square(image: Image.Image, size: int) -> Image.Image:
    """Scale to fit a square of `size` px: enlarge by a whole number, or else scale down."""
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


def _line_top(image_bottom: int, number: int) -> int:
    return image_bottom + _GAP // 2 + round(number * _LABEL_SIZE * _LINE)


def _wrapped(text: str, width: int) -> list[str]:
    """Wrap the text into at most two lines of `width` px; the rest becomes …"""
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
