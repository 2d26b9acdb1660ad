"""Titles of the backend's actions in the artist's language."""

from __future__ import annotations

from ..i18n import tr


def title_of_action(name: str, title: str) -> str:
    """Return the title of an action; one that only a newer backend knows keeps its `title`."""
    known = {
        "stand": tr("Stand"),
        "walk": tr("Walk"),
        "run": tr("Run"),
        "slash": tr("Slash"),
        "thrust": tr("Thrust"),
        "shoot": tr("Shoot a bow"),
        "cast": tr("Cast a spell"),
        "jump": tr("Jump"),
        "guard": tr("Guard"),
        "hurt": tr("Fall"),
        "climb": tr("Climb"),
        "sit": tr("Sit on a chair"),
        "sit-on-ground": tr("Sit on the ground"),
    }
    return known.get(name, title)
