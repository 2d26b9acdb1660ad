"""Measure how well subjects are learnt: `modelsheet bench likeness`."""
