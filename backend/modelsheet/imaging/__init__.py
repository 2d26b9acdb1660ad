"""Pixels without torch: RGBA arrays, palettes, masks, sprite sheets, OpenRaster, PNG metadata."""
