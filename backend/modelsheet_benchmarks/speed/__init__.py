"""Measure speed beside diffusers' own script: `modelsheet bench speed`, `bench sd15`."""
