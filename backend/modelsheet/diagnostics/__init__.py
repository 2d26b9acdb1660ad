"""Examine an installation, and pack a support bundle."""
