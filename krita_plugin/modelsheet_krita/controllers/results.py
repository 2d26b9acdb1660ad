"""Results in the docker's gallery: fetched, grouped by prompt, shown large, restored.

The backend keeps them from one session of Krita to the next.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Callable

from ..backend import workflows
from ..backend.api_responses import GeneratedImage, JobView
from ..backend.connection_thread import BackendConnection
from ..document.document import OpenDocument
from ..errors import BackendError, RequestRefused
from ..i18n import tr
from ..image import Image, Placement, thumbnail
from ..ui.panel import Panel
from .notices import Notices
from .saved_state import SavedState

MOST_KEPT = 256
MOST_RESTORED_JOBS = 16
POPUP_LINES = 18  # height of the large image in lines of text


@dataclass(frozen=True)
class Target:
    """Document in front when Generate was clicked, and the placement of results in it."""

    document: OpenDocument
    placement: Placement


@dataclass(frozen=True)
class Result:
    """One generated image with its pixels."""

    job_id: str
    prompt: str
    generated: GeneratedImage
    image: Image
    target: Target | None

    @property
    def description(self) -> str:
        """Seed, size and label for tooltips."""
        size = f"{self.image.width} × {self.image.height}"
        text = tr("seed {seed} · {size}", seed=self.generated.seed, size=size)
        return f"{text} · {self.generated.label}" if self.generated.label else text


class Results:
    """All results by the keys under which the gallery shows them.

    `on_shown` is called with a job's id and its results once they are in the gallery.
    """

    def __init__(
        self,
        panel: Panel,
        connection: BackendConnection,
        notices: Notices,
        saved_state: SavedState,
    ) -> None:
        self._panel, self._connection, self._notices = panel, connection, notices
        self._saved_state = saved_state
        self.on_shown: Callable[[str, list[Result]], None] = lambda job_id, results: None
        self._results: dict[int, Result] = {}
        self._requested: set[str] = set()  # jobs whose images were fetched or are being fetched
        self._next_key = 0
        panel.results.pointed_at.connect(self._show_popup)
        connection.subscribe(panel, jobs=self._restore)

    def get(self, keys: Iterable[int]) -> list[Result]:
        """Return the results under these keys."""
        return [self._results[key] for key in keys if key in self._results]

    def fetch(self, job: JobView, target: Target | None) -> None:
        """Fetch the images of a job and select them in the gallery."""
        assert job.result is not None
        self._fetch(job, list(job.result.images), target, self._notices.show_request_error)

    def choose_only(self, result: Result) -> None:
        """Select this result and no other."""
        keys = [key for key, one in self._results.items() if one is result]
        self._panel.results.choose_only(keys)

    def discard(self, keys: Iterable[int]) -> None:
        """Remove results from the gallery; they are not restored either."""
        keys = list(keys)
        removed = [self._results.pop(key) for key in keys]
        self._saved_state.discard([_name(one.job_id, one.generated) for one in removed])
        self._panel.results.discard(keys)
        self._panel.popup.hide()

    def _restore(self, jobs: tuple[JobView, ...]) -> None:
        """Fetch the images of earlier sessions that the artist did not remove."""
        discarded = self._saved_state.discarded()
        done = [job for job in jobs if job.kind == "generate" and job.result is not None]
        done = [job for job in done if job.result is not None and job.result.images]
        done.sort(key=lambda job: job.created, reverse=True)
        for job in reversed(done[:MOST_RESTORED_JOBS]):
            assert job.result is not None
            kept = [one for one in job.result.images if _name(job.id, one) not in discarded]
            self._fetch(job, kept, None, self._on_not_restored)

    def _fetch(
        self,
        job: JobView,
        images: list[GeneratedImage],
        target: Target | None,
        on_error: Callable[[BackendError], None],
    ) -> None:
        if job.id in self._requested or not images:
            return
        self._requested.add(job.id)
        self._connection.request(
            partial(workflows.fetch_job_images, job=job, blobs={one.blob for one in images}),
            lambda fetched: self._show(job, *fetched, target),
            partial(self._on_not_fetched, job.id, on_error),
        )

    def _on_not_fetched(
        self, job_id: str, on_error: Callable[[BackendError], None], error: BackendError
    ) -> None:
        if not isinstance(error, RequestRefused):
            self._requested.discard(job_id)  # the connection was lost: fetch again when it is back
        on_error(error)

    def _on_not_restored(self, error: BackendError) -> None:
        # Images that the backend has deleted since then are not missed.
        if not isinstance(error, RequestRefused):
            self._notices.show_request_error(error)

    def _show(
        self,
        job: JobView,
        generated: list[GeneratedImage],
        images: list[Image],
        target: Target | None,
    ) -> None:
        gallery = self._panel.results
        side = self._panel.thumbnail_side(gallery)
        clock = time.strftime("%H:%M", time.localtime(job.created))
        gallery.add_group(job.id, f"{clock}  {job.title}")
        results = []
        for one, image in zip(generated, images):
            result = Result(job.id, job.title, one, image, target)
            key, self._next_key = self._next_key, self._next_key + 1
            self._results[key] = result
            results.append(result)
            tip = f"{job.title}\n{result.description}"
            gallery.add(key, job.id, thumbnail(image, side), tip)
        if target is not None or not gallery.chosen():
            gallery.choose(job.id)
        self._drop_oldest()
        self.on_shown(job.id, results)

    def _drop_oldest(self) -> None:
        surplus = sorted(self._results)[: max(0, len(self._results) - MOST_KEPT)]
        for key in surplus:
            del self._results[key]
        self._panel.results.discard(surplus)

    def _show_popup(self, key: int | None) -> None:
        """Show the result under the mouse large, beside the selected one if it is another."""
        panel = self._panel
        if key is None or key not in self._results:
            panel.popup.hide()
            return
        selected = panel.results.chosen()
        keys = [key] if key in selected or not selected else [selected[0], key]
        lines = panel.fontMetrics().height() * POPUP_LINES
        side = round(lines * panel.devicePixelRatioF())
        shown = []
        for result in self.get(keys):
            pixmap = thumbnail(result.image, side)
            pixmap.setDevicePixelRatio(panel.devicePixelRatioF())
            shown.append((pixmap, result.description))
        panel.popup.show_beside(panel, shown)


def _name(job_id: str, generated: GeneratedImage) -> str:
    """Return the name under which the saved state keeps a removed result."""
    return f"{job_id[:8]}-{generated.blob[:8]}"
