"""Handle clicks and the backend's news: one controller for each task."""
