"""Fetch the pictures of an animate job for its form, while it runs and once it is done."""

from __future__ import annotations

from functools import partial
from typing import Callable

from ..backend import workflows
from ..backend.api_responses import JobResult, JobView
from ..backend.connection_thread import BackendConnection
from ..errors import BackendError
from ..image import Image
from .pictures import arriving
from .session import AnimateSession


class PictureFetcher:
    """Adds pictures to a session and shows them in its form."""

    def __init__(self, connection: BackendConnection) -> None:
        self._connection = connection

    def fetch_arrived(self, session: AnimateSession, job: JobView) -> None:
        """Fetch what a running job has drawn so far, unless some of it is being fetched."""
        found = arriving(job.progress.previews, session.durations_ms)
        frames = session.pictures.lacking(found)
        if not frames or session.is_fetching:
            return
        session.is_fetching = True
        pictures = session.pictures

        def fetched(images: list[Image]) -> None:
            session.is_fetching = False
            pictures.add(frames, images)
            if session.is_busy:
                session.show_pictures()

        def failed(error: BackendError) -> None:
            session.is_fetching = False  # the next news of the job brings all again

        self._connection.request(partial(workflows.fetch_frames, frames=frames), fetched, failed)

    def fetch(
        self,
        session: AnimateSession,
        result: JobResult,
        on_shown: Callable[[], None],
        on_failed: Callable[[BackendError], None],
    ) -> None:
        """Fetch the pictures of a result that are not here yet, and the first view's mannequin."""
        frames = session.pictures.lacking([*result.key_views, *result.frames])
        first = next(iter(session.dialog.drawings.views()), "front")
        figures = [one for one in result.mannequins if one.view == first][:1]

        def fetched(images: list[Image]) -> None:
            session.pictures.add(frames, images)
            session.place(result)
            session.show_pictures()
            session.show_fit(result, next(iter(images[len(frames) :]), None))
            if result.warnings:
                session.dialog.remarks.say(" ".join(result.warnings))
            on_shown()

        wanted = [*frames, *figures]
        self._connection.request(partial(workflows.fetch_frames, frames=wanted), fetched, on_failed)
