"""Run jobs as actors of a Ray cluster."""
