"""Speak to the backend over HTTP, or start it."""
