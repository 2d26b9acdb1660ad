"""Contact sheets: pixels enlarged by whole numbers, rows in line, long words cut to their card."""

from __future__ import annotations

import numpy as np
from PIL import Image

from modelsheet.imaging.contact_sheet import (
    Cell,
    Section,
    draw_axis_grid,
    draw_contact_sheet,
    fit_square,
)

RED = (255, 0, 0)


def square(size: int) -> Image.Image:
    return Image.new("RGBA", (size, size), (*RED, 255))


def red_boxes(sheet: Image.Image) -> list[tuple[int, int, int, int]]:
    """Find the red squares as (left, top, width, height), read row by row."""
    red = (np.asarray(sheet) == RED).all(axis=-1)
    corner = red & ~np.roll(red, 1, axis=0) & ~np.roll(red, 1, axis=1)
    boxes = []
    for top, left in np.argwhere(corner):
        width = int(np.argmin(np.append(red[top, left:], False)))
        height = int(np.argmin(np.append(red[top:, left], False)))
        boxes.append((int(left), int(top), width, height))
    return boxes


def test_a_sprite_is_enlarged_by_the_largest_whole_number_that_fits() -> None:
    assert fit_square(square(32), 160).size == (160, 160)
    assert fit_square(square(48), 160).size == (144, 144)
    assert set(np.asarray(fit_square(square(7), 160)).reshape(-1, 4)[:, 0]) == {255}


def test_a_large_picture_is_scaled_down_with_its_proportions() -> None:
    assert fit_square(Image.new("RGBA", (800, 400)), 160).size == (160, 80)
    assert fit_square(Image.new("RGBA", (5000, 1)), 160).size == (160, 1)


def test_every_cell_is_drawn_in_its_row_and_column() -> None:
    cells = [Cell(square(10), f"number {k}") for k in range(5)]

    sheet = draw_contact_sheet([Section("five", cells, columns=2)], cell_size=40)

    boxes = red_boxes(sheet)
    assert [box[2:] for box in boxes] == [(40, 40)] * 5
    assert len({left for left, *_ in boxes}) == 2
    assert len({top for _, top, *_ in boxes}) == 3


def test_rows_of_sections_with_and_without_notes_stand_in_line() -> None:
    left = Section("left", [Cell(square(10), "a")] * 3, columns=1)
    right = Section("right", [Cell(square(10), "two words", "seed 1")] * 3, columns=1)

    sheet = draw_contact_sheet([left, right], cell_size=40)

    assert len({top for _, top, *_ in red_boxes(sheet)}) == 3


def test_words_never_run_into_the_next_card() -> None:
    long = Cell(Image.new("RGBA", (10, 10)), "anextraordinarilylongsinglewordwithoutbreak " * 4)
    both = draw_contact_sheet([Section("", [long, Cell(square(10))], columns=2)], cell_size=60)
    alone = draw_contact_sheet([Section("", [long], columns=1)], cell_size=60)

    ((left, *_),) = red_boxes(both)
    gutter = np.asarray(both)[:, left - 12 : left]
    below = np.asarray(alone)[:, 24 + 60 :]

    assert (gutter == gutter[0, 0]).all()
    assert (below == below[0, 0]).all()


def test_a_grid_has_every_picture_under_its_value() -> None:
    grid = draw_axis_grid(
        [square(10)] * 6,
        ("text encoder scale", ["0", "0.5", "1"]),
        ("unet scale", ["0", "1"]),
        cell_size=40,
    )

    boxes = red_boxes(grid)
    assert [box[2:] for box in boxes] == [(40, 40)] * 6
    assert len({left for left, *_ in boxes}) == 3
    for left, top, *_ in boxes[:3]:
        assert has_words(grid.crop((left, 0, left + 40, top)))
    for left, top, *_ in boxes[::3]:
        assert has_words(grid.crop((0, top, left, top + 40)))


def has_words(part: Image.Image) -> bool:
    pixels = np.asarray(part)
    return bool((pixels.min(axis=-1) < 100).any())
