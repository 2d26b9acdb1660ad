"""Sentences of the form for model sheets: what is missing, and what comes next."""

from __future__ import annotations

from collections.abc import Sequence

from ..backend.api_responses import JobView
from ..i18n import tr
from ..ui.animation.animate_dialog import Missing
from ..view_names import title_of
from .session import AnimateSession


def check(session: AnimateSession, *, is_connected: bool) -> tuple[Missing, str]:
    """Return why each button cannot be pressed, and the sentence that the form shows."""
    common = _missing_for_all(session, is_connected=is_connected)
    key_views = common or _missing_for_key_views(session)
    animate = common or _missing_for_animation(session)
    insert = "" if session.pictures.strips(()) else nothing_drawn()
    if session.is_busy:
        insert = insert or common
    return Missing(key_views, animate, insert), common or animate or _next_step(session)


def nothing_drawn() -> str:
    """Return the sentence for pictures that are not there."""
    return tr("Draw the key views or an animation first.")


def progress_text(job: JobView) -> str:
    """Return what a running job does now."""
    progress = job.progress
    if job.state == "queued":
        return tr("Waiting for its turn…")
    if progress.step:
        return tr("Frame {step} of {total}", step=progress.step, total=progress.total)
    return tr("Drawing the key views…") if progress.previews else tr("Looking at the drawing…")


def key_views_inserted(views: Sequence[str]) -> str:
    """Return what the artist can do with the key views that are layers now."""
    return tr(
        "The key views are layers now: {views}. Correct them there, then press Animate.",
        views=", ".join(map(title_of, views)),
    )


def animation_inserted(*, is_sheet: bool) -> str:
    """Return how to see the animation that was inserted, and what was hidden for it."""
    if is_sheet:
        return tr(
            "The animation is on top; its key views and the former animation are hidden. Paint on "
            "a key view and press Animate to draw the frames again."
        )
    return tr("The animation is on top. Hide the drawing below it to see the motion alone.")


def _missing_for_all(session: AnimateSession, *, is_connected: bool) -> str:
    if not is_connected:
        return tr("The backend is not connected yet: the docker says why.")
    if session.actions is None:
        return tr("Asking the backend which actions it knows…")
    if session.is_busy:
        return tr("Drawing… Closing this form stops it.")
    views = session.dialog.drawings.views()
    if len(set(views)) < len(views):
        return tr("Two drawings show the same side. Choose another view for one of them.")
    if not session.dialog.chosen_views():
        return tr("Tick a view.")
    return ""


def _missing_for_key_views(session: AnimateSession) -> str:
    if session.sheet is not None:
        return tr("The key views are layers already: paint on them, then press Animate.")
    return ""


def _missing_for_animation(session: AnimateSession) -> str:
    return "" if session.dialog.chosen_actions() else tr("Tick an action to animate.")


def _next_step(session: AnimateSession) -> str:
    if session.pictures.actions:
        return tr(
            "Put the frames into the document, or save them with the arrow beside the button."
        )
    if session.sheet is not None:
        return tr("Correct the key views on their layers, then press Animate.")
    if session.pictures.key_views():
        return tr(
            "Your drawings stay as they are. Put the key views into the document to correct them, "
            "or animate them at once."
        )
    return tr("Draw the key views first; each can be corrected before it is animated.")
