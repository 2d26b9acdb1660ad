"""Callers, their tokens and access."""
