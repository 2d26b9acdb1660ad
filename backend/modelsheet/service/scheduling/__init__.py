"""Decide which queued job runs next, and carry a running one to its end."""
