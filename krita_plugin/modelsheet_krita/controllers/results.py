"""Results in the docker's gallery: fetched, grouped by prompt, searched, starred, restored.

The backend keeps the images from one session of Krita to the next; Krita's settings keep which
document they were generated for.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Callable

from ..backend import workflows
from ..backend.api_responses import GeneratedImage, JobView
from ..backend.connection_thread import BackendConnection
from ..document.document import OpenDocument
from ..errors import BackendError, PluginError, RequestRefused
from ..i18n import tr, trn
from ..image import Image, sharp_thumbnail, thumbnail
from ..results.document_ids import DocumentIds
from ..results.result import Origin, Result, Target, name_of
from ..ui.panel import Panel
from .notices import Notices
from .saved_state import SavedState

MOST_KEPT = 256
MOST_RESTORED_JOBS = 16  # of one document
POPUP_LINES = 18  # height of the large image in lines of text


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
        document_ids: DocumentIds,
        current_document: Callable[[], OpenDocument],
    ) -> None:
        self._panel, self._connection, self._notices = panel, connection, notices
        self._saved_state, self._current_document = saved_state, current_document
        self.document_ids = document_ids
        self.on_shown: Callable[[str, list[Result]], None] = lambda job_id, results: None
        self._results: dict[int, Result] = {}
        self._removed: dict[int, Result] = {}  # the last ones, to be put back
        self._jobs: tuple[JobView, ...] = ()  # of earlier sessions, the newest first
        self._requested: set[str] = set()  # jobs whose images were fetched or are being fetched
        self._document_id = ""  # of the document in front, empty without one
        self._next_key = 0
        gallery, header = panel.results, panel.results_header
        gallery.pointed_at.connect(self._show_popup)
        gallery.undo_wanted.connect(self.put_back)
        header.changed.connect(self._show_matching)
        header.scope_changed.connect(self._on_scope)
        header.clear_wanted.connect(self._clear)
        header.show_scope(saved_state.shows_all_documents())
        connection.subscribe(panel, jobs=self._on_jobs)

    def get(self, keys: Iterable[int]) -> list[Result]:
        """Return the results under these keys."""
        return [self._results[key] for key in keys if key in self._results]

    def origin_of(self, target: Target | None) -> Origin | None:
        """Return the origin of what is generated for this target."""
        if target is None:
            return None
        return Origin(self.document_ids.id_of(target.document), target.placement)

    def fetch(self, job: JobView) -> None:
        """Fetch the images of a job that is just done, and select them in the gallery."""
        assert job.result is not None
        self._fetch(job, list(job.result.images), self._notices.show_request_error, is_new=True)

    def choose_only(self, result: Result) -> None:
        """Select this result and no other."""
        self._panel.results.choose_only([k for k, one in self._results.items() if one is result])

    def check_document(self) -> None:
        """Show the results of the document in front, those of earlier sessions too."""
        document_id = self._find_document_id()
        if document_id == self._document_id:
            return
        self._document_id = document_id
        self._show_matching()
        self._fetch_earlier()

    def discard(self, keys: Iterable[int]) -> None:
        """Remove results from the gallery; they are not restored, but can be put back."""
        self._removed = {key: self._results.pop(key) for key in list(keys)}
        self._saved_state.discard(one.name for one in self._removed.values())
        gallery = self._panel.results
        gallery.discard(list(self._removed), select_next=True)
        gallery.takes_undo = True
        self._panel.popup.hide()
        text = trn(
            "{count} picture is removed from the list.",
            "{count} pictures are removed from the list.",
            len(self._removed),
        )
        self._panel.notice.say(
            text, icon="edit-delete", action=tr("Put Back"), on_action=self.put_back
        )

    def put_back(self) -> None:
        """Put the results back that were removed last."""
        gallery = self._panel.results
        gallery.takes_undo = False
        removed, self._removed = self._removed, {}
        self._saved_state.restore(one.name for one in removed.values())
        self._add(removed)
        self._show_matching()
        gallery.choose_only(list(removed))
        self._panel.notice.hide()

    def toggle_star(self, keys: Sequence[int]) -> None:
        """Give all these results a star, or take it away if all have one."""
        chosen, starred = self.get(keys), self._saved_state.starred()
        is_starred = not all(one.name in starred for one in chosen)
        self._saved_state.set_starred([one.name for one in chosen], is_starred)
        self._panel.results.show_stars(keys, is_starred)
        self._show_matching()

    def _clear(self) -> None:
        """Remove all shown results without a star."""
        starred = self._saved_state.starred()
        shown = self._panel.results.shown()
        keys = [key for key in shown if self._results[key].name not in starred]
        if keys:
            self.discard(keys)

    def _find_document_id(self) -> str:
        try:
            return self.document_ids.id_of(self._current_document())
        except PluginError:
            return ""

    def _on_scope(self, shows_all: bool) -> None:
        self._saved_state.set_shows_all_documents(shows_all)
        self._show_matching()
        self._fetch_earlier()

    def _belongs(self, origin: Origin | None) -> bool:
        """Return True if results of this origin are to be shown now; unknown ones always are."""
        if self._panel.results_header.shows_all or not self._document_id or origin is None:
            return True
        return origin.document_id == self._document_id

    def _show_matching(self) -> None:
        """Hide what belongs to other documents or does not match the search."""
        header, starred = self._panel.results_header, self._saved_state.starred()
        words = header.search.text().casefold().split()
        here = {key: one for key, one in self._results.items() if self._belongs(one.origin)}
        self._panel.results.show_only(
            key
            for key, one in here.items()
            if one.matches(words) and (not header.starred.isChecked() or one.name in starred)
        )
        self._panel.results.explain(self._explain_none(has_others=bool(here)))

    def _explain_none(self, *, has_others: bool) -> str:
        """Return the sentence for an empty gallery."""
        if has_others:
            return tr("No result has these words, or a star. Clear the search to see all.")
        if self._results:
            return tr(
                "Nothing was generated for this document yet. The button beside the star shows the "
                "results of all documents."
            )
        return tr("What you generate appears here. The document changes only when you press Apply.")

    def _on_jobs(self, jobs: tuple[JobView, ...]) -> None:
        done = [job for job in jobs if job.kind == "generate" and job.result is not None]
        done = [job for job in done if job.result is not None and job.result.images]
        self._jobs = tuple(sorted(done, key=lambda job: job.created, reverse=True))
        self._document_id = self._find_document_id()
        self._fetch_earlier()

    def _fetch_earlier(self) -> None:
        """Fetch the images of earlier sessions that belong here and were not removed."""
        discarded = self._saved_state.discarded()
        origins = self._saved_state.origins()
        here = [job for job in self._jobs if self._belongs(origins.get(job.id))]
        count = 0
        for job in here[:MOST_RESTORED_JOBS]:
            assert job.result is not None
            kept = [one for one in job.result.images if name_of(job.id, one) not in discarded]
            count += len(kept)
            if count > MOST_KEPT:
                break
            self._fetch(job, kept, self._on_not_restored)

    def _fetch(
        self,
        job: JobView,
        images: list[GeneratedImage],
        on_error: Callable[[BackendError], None],
        *,
        is_new: bool = False,
    ) -> None:
        if job.id in self._requested or not images:
            return
        self._requested.add(job.id)
        self._connection.request(
            partial(workflows.fetch_job_images, job=job, blobs={one.blob for one in images}),
            lambda fetched: self._show(job, *fetched, is_new=is_new),
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
        *,
        is_new: bool,
    ) -> None:
        origin = self._saved_state.origins().get(job.id)
        results = [Result(job, one, image, origin) for one, image in zip(generated, images)]
        first, self._next_key = self._next_key, self._next_key + len(results)
        self._add(dict(enumerate(results, first)))
        self._drop_oldest()
        if is_new:
            self._panel.results_header.reset_search()
        self._show_matching()
        if is_new:
            self._choose_new(job.id, origin)
        self.on_shown(job.id, results)

    def _add(self, results: Mapping[int, Result]) -> None:
        """Add results to the gallery, each under its key."""
        gallery, starred = self._panel.results, self._saved_state.starred()
        side = self._panel.thumbnail_side(gallery)
        for key, result in results.items():
            job = result.job
            clock = time.strftime("%H:%M", time.localtime(job.created))
            gallery.add_group(job.id, f"{clock}  {job.title}", job.created)
            tip = f"{job.title}\n{result.description}"
            gallery.add(key, job.id, thumbnail(result.image, side), tip)
        gallery.show_stars([key for key, one in results.items() if one.name in starred], True)
        self._results.update(results)

    def _choose_new(self, job_id: str, origin: Origin | None) -> None:
        if self._belongs(origin):
            self._panel.results.choose(job_id)
            return
        self._panel.notice.say(
            tr(
                "Pictures for another document are done. Go to it to see them, or choose “Of All "
                "Documents” beside “Results”."
            ),
            icon="dialog-ok",
        )

    def _drop_oldest(self) -> None:
        """Forget the oldest jobs' images while there are too many; they can be fetched again."""
        while len(self._results) > MOST_KEPT:
            oldest = min(self._results.values(), key=lambda one: one.job.created).job.id
            keys = [key for key, one in self._results.items() if one.job.id == oldest]
            if len(keys) == len(self._results):
                return
            for key in keys:
                del self._results[key]
            self._requested.discard(oldest)
            self._panel.results.discard(keys)

    def _show_popup(self, key: int | None) -> None:
        """Show the result under the mouse large, beside the selected one if it is another."""
        panel = self._panel
        if key is None or key not in self._results:
            panel.popup.hide()
            return
        selected = panel.results.chosen()
        keys = [key] if key in selected or not selected else [selected[0], key]
        side, ratio = panel.fontMetrics().height() * POPUP_LINES, panel.devicePixelRatioF()
        shown = [
            (sharp_thumbnail(one.image, side, ratio), one.description) for one in self.get(keys)
        ]
        panel.popup.show_beside(panel, shown)
