"""Modelsheet: learn an artist's character from layers and paint it anywhere, as new layers."""

from __future__ import annotations

__version__ = "0.2.0"
