"""Measure quality and speed: `modelsheet bench`. Not part of the product package."""
