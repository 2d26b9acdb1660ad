"""Animate characters: key views and frames of actions, drawn from a few drawings."""
