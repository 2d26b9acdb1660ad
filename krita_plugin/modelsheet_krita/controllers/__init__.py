"""What happens after a click: one controller for each task."""
