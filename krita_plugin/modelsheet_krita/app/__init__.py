"""Krita's side: docker, actions, settings."""
