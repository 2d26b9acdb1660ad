"""Widgets and dialogs. None knows a controller."""
