"""What is drawn over each other is read in one frame, what is drawn side by side by itself."""

from __future__ import annotations

from modelsheet_krita.document.geometry import frames

SPRITE = (0, 0, 32, 32)
PAINTING = (0, 0, 2000, 2000)


def test_a_sprite_s_layers_keep_their_place_on_the_canvas() -> None:
    assert frames([(9, 2, 14, 30), (0, 2, 23, 30)], SPRITE) == [SPRITE, SPRITE]


def test_views_over_each_other_share_the_box_around_them() -> None:
    areas = [(100, 100, 400, 800), (50, 100, 450, 820)]

    assert frames(areas, PAINTING) == [(50, 100, 450, 820)] * 2


def test_figures_beside_each_other_are_read_each_by_itself() -> None:
    areas = [(0, 0, 300, 300), (700, 0, 300, 300), (1400, 1400, 300, 300)]

    assert frames(areas, PAINTING) == areas


def test_a_single_layer_is_read_where_it_is() -> None:
    assert frames([(500, 600, 300, 200)], PAINTING) == [(500, 600, 300, 200)]
