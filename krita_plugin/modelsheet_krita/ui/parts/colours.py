"""Colours of Krita's theme for what the docker paints itself."""

from __future__ import annotations

from ...qt import QtGui

LEAST_CONTRAST = 80  # of 255 in lightness


def accent(palette: QtGui.QPalette) -> QtGui.QColor:
    """Return the theme's highlight colour, with more contrast where it has too little."""
    roles = QtGui.QPalette.ColorRole
    colour, background = palette.color(roles.Highlight), palette.color(roles.Base)
    if abs(colour.lightness() - background.lightness()) >= LEAST_CONTRAST:
        return colour
    return colour.lighter(150) if background.lightness() < 128 else colour.darker(150)
