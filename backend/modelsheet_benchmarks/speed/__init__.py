"""Measure speed: `modelsheet bench speed`, `bench sd15`, `bench busy`."""
