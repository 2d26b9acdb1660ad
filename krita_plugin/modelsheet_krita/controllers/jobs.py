"""Jobs of the backend: their cards in the docker, their order, and their followers."""

from __future__ import annotations

import statistics
from functools import partial
from typing import Callable

from ..backend import workflows
from ..backend.api_requests import DownloadRequest
from ..backend.api_responses import JobView, Progress
from ..backend.connection_thread import BackendConnection
from ..errors import BackendError
from ..i18n import format_bytes, tr
from ..image import Image, sharp_thumbnail
from ..ui.job_card import JobRow
from ..ui.panel import Panel
from ..ui.parts.stop_question import StopQuestion
from .notices import Notices

PREVIEW_LINES = 4  # height of a preview in lines of text
MOST_PREVIEWS = 4
SAID_BY_TITLE = ("learning", "painting")  # phases that the card's title names
MOST_TIMED = 5  # generate jobs that tell how long an image takes
# That have a card, in the order they are done; describing has one only while others wait for it.
KINDS = ("generate", "animate", "learn", "download")
JobHandler = Callable[[JobView], None]


class Jobs:
    """Keeps the newest view of each job, shows the cards, and calls the handlers of a job."""

    def __init__(self, panel: Panel, connection: BackendConnection, notices: Notices) -> None:
        self._panel, self._connection, self._notices = panel, connection, notices
        self._open: dict[str, JobView] = {}
        self._done: dict[str, JobView] = {}
        self._hidden: dict[str, JobView] = {}  # open ones of kinds without a card
        self._followers: dict[str, JobHandler] = {}
        self._end_handlers: dict[str, JobHandler] = {}
        self._order: tuple[str, ...] = ()  # of the waiting ones, where the artist changed it
        self._previewed: dict[str, str] = {}  # job id: the blobs shown on its card
        self.question: StopQuestion | None = None
        notices.offer_downloads(partial(self.download, on_error=notices.show_request_error))
        panel.job_wanted.connect(self._control)
        panel.job_moved.connect(self._move)
        connection.subscribe(panel, jobs=self._update_all, job=self._update)

    @property
    def all(self) -> tuple[JobView, ...]:
        """All jobs, the open ones first."""
        return (*self._open.values(), *self._done.values())

    def follow(self, job: JobView, handler: JobHandler) -> None:
        """Call `handler` with this view of the job and each later one, until it is over."""
        self._followers[job.id] = handler
        self._update(job)

    def add(self, job: JobView) -> None:
        """Show a job that was just submitted."""
        self._update(job)

    def on_end(self, kind: str, handler: JobHandler) -> None:
        """Call `handler` with each job of this kind that is over."""
        self._end_handlers[kind] = handler

    def downloading(self) -> set[str]:
        """Return the ids of the models that are being downloaded."""
        return {job.title for job in self._open.values() if job.kind == "download"}

    def seconds_per_image(self) -> float | None:
        """Return the median time of an image in the last generate jobs, None before the first."""
        jobs = [job for job in self._done.values() if job.kind == "generate" and job.duration_s]
        jobs = sorted(jobs, key=lambda one: one.created)[-MOST_TIMED:]
        times = [
            job.duration_s / len(job.result.images)
            for job in jobs
            if job.duration_s and job.result is not None and job.result.images
        ]
        return statistics.median(times) if times else None

    def download(self, model_id: str, on_error: Callable[[BackendError], None]) -> None:
        """Download a model, as a job with a card."""
        self._connection.request(
            lambda client: client.submit(DownloadRequest(model_id)), self.add, on_error
        )

    def cancel(self, job_id: str) -> None:
        """Cancel a job without a card, unless it is over already or the backend is gone."""
        self._connection.request(
            lambda client: client.control_job(job_id, "cancel"),
            lambda job: None,
            lambda error: None,
        )

    def stop_first(self) -> None:
        """Stop the running job, or else a waiting one; ask first if it learns."""
        running = sorted(self._open.values(), key=lambda one: one.state != "running")
        for job in running[:1]:
            self._stop(job.id)

    def _update_all(self, jobs: tuple[JobView, ...]) -> None:
        """Replace all views, after a connection; jobs may have ended meanwhile."""
        listed = [job for job in jobs if job.kind in KINDS]
        self._open = {job.id: job for job in listed if not job.is_over}
        self._done = {job.id: job for job in listed if job.is_over}
        self._hidden = {job.id: job for job in jobs if job.kind not in KINDS and not job.is_over}
        self._show()
        if sum(job.state == "queued" for job in self._open.values()) > 1:
            self._connection.request(
                lambda client: client.queue(), self._set_order, self._notices.show_request_error
            )
        for job in sorted(jobs, key=lambda one: one.created):
            self._notify_follower(job)

    def _update(self, job: JobView) -> None:
        was_open = self._open.pop(job.id, None) is not None
        if job.kind in KINDS:
            (self._done if job.is_over else self._open)[job.id] = job
            self._show()
            if was_open and job.is_over:
                self._end(job)
        else:
            self._update_hidden(job)
        self._notify_follower(job)

    def _update_hidden(self, job: JobView) -> None:
        self._hidden.pop(job.id, None)
        if not job.is_over:
            self._hidden[job.id] = job
        self._show()

    def _end(self, job: JobView) -> None:
        if job.kind in self._end_handlers:
            self._end_handlers[job.kind](job)
        if job.error is not None:
            self._notices.say(job.error.sentence)

    def _notify_follower(self, job: JobView) -> None:
        handler = self._followers.get(job.id)
        if handler is None:
            return
        if job.is_over:
            del self._followers[job.id]
        handler(job)

    def _show(self) -> None:
        shown = sorted((*self._open.values(), *self._delaying()), key=self._sort_key)
        self._panel.show_jobs([row_of(job) for job in shown])
        for job in shown:
            self._show_previews(job)

    def _delaying(self) -> list[JobView]:
        """Return the running jobs without a card of their own for which others wait."""
        if not any(job.state == "queued" for job in self._open.values()):
            return []
        return [job for job in self._hidden.values() if job.state == "running"]

    def _sort_key(self, job: JobView) -> tuple[bool, int, int, float]:
        """Sort as the backend does: running jobs, then generate, learn, download."""
        known = self._order.index(job.id) if job.id in self._order else len(self._order)
        rank = KINDS.index(job.kind) if job.kind in KINDS else len(KINDS)
        return job.state == "queued", rank, known, job.created

    def _show_previews(self, job: JobView) -> None:
        images = job.progress.previews[:MOST_PREVIEWS]
        names = " ".join(image.blob for image in images)
        if job.kind != "learn" or not names or self._previewed.get(job.id) == names:
            return
        self._previewed[job.id] = names
        self._connection.request(
            partial(workflows.fetch_results, images=images),
            partial(self._on_previews, job.id),
            lambda error: None,  # the next measurement brings others
        )

    def _on_previews(self, job_id: str, images: list[Image]) -> None:
        card = self._panel.card(job_id)
        if card is None:
            return
        side, ratio = card.fontMetrics().height() * PREVIEW_LINES, card.devicePixelRatioF()
        card.show_previews([sharp_thumbnail(image, side, ratio) for image in images])

    def _stop(self, job_id: str) -> None:
        """Cancel the job; ask first if it learns, as minutes of work would be lost."""
        job = self._open.get(job_id)
        if job is None or job.kind != "learn":
            self._end_early("cancel", job_id=job_id)
            return
        if self.question is not None:
            self.question.deleteLater()
        row = row_of(job)
        self.question = StopQuestion(
            self._panel.window(), title=row.title, detail=row.detail, can_finish=row.can_finish
        )
        self.question.answered.connect(partial(self._end_early, job_id=job_id))
        self.question.show()

    def _end_early(self, action: str, job_id: str) -> None:
        card = self._panel.card(job_id)
        if card is not None:  # else it has ended while the question was shown
            card.show_stopping()
            self._control(job_id, action)

    def _control(self, job_id: str, action: str) -> None:
        on_error = partial(self._on_refused, job_id)
        if action == "stop":
            self._stop(job_id)
            return
        if action == "sooner":
            kind = self._open[job_id].kind
            same_kind = {job.id for job in self._open.values() if job.kind == kind}
            self._connection.request(
                partial(workflows.move_to_front, job_id=job_id, same_kind=same_kind),
                self._set_order,
                on_error,
            )
            return
        self._connection.request(
            lambda client: client.control_job(job_id, action), self._update, on_error
        )

    def _move(self, job_id: str, before: str | None) -> None:
        self._connection.request(
            partial(workflows.move, job_id=job_id, before=before),
            self._set_order,
            partial(self._on_refused, job_id),
        )

    def _set_order(self, waiting: tuple[str, ...]) -> None:
        self._order = waiting
        self._show()

    def _on_refused(self, job_id: str, error: BackendError) -> None:
        card = self._panel.card(job_id)
        if card is not None:
            card.enable_buttons()
        self._notices.show_request_error(error)


def row_of(job: JobView) -> JobRow:
    """Describe a job for its card."""
    progress = job.progress
    title = {
        "generate": tr("Painting {title}", title=job.title),
        "animate": tr("Animating {title}", title=job.title),
        "learn": tr("Learning {title}", title=job.title),
        "download": tr("Downloading {title}", title=job.title),
        "describe": tr("Looking at layers"),
    }[job.kind]
    return JobRow(
        job_id=job.id,
        title=title,
        detail=" · ".join(_details(job)),
        fraction=progress.fraction,
        kind=job.kind,
        is_paused=job.state == "paused",
        is_waiting=job.state == "queued",
        is_begun=progress.step > 0,
        likeness=tuple(
            (point.step, point.likeness) for point in progress.curve if point.likeness is not None
        ),
        total=progress.total,
    )


def _details(job: JobView) -> list[str]:
    """Return what there is to say of a job beside its title; the last part matters most."""
    progress = job.progress
    if job.state != "queued" and job.kind == "download":
        return [_downloaded(job.progress)]
    if job.stalled:
        return [tr("not responding")]
    parts = []
    is_said = job.kind == "animate" or progress.phase in SAID_BY_TITLE  # the form says the former
    if job.state == "running" and not is_said:
        parts.append(tr(progress.phase))
    if progress.total:
        parts.append(tr("step {step} of {total}", step=progress.step, total=progress.total))
    if job.state in ("queued", "paused"):
        parts.append(tr("waiting") if job.state == "queued" else tr("paused"))
    elif progress.eta_s is not None:
        parts.append(_remaining(progress.eta_s))
    return parts


def _downloaded(progress: Progress) -> str:
    """Format the progress of a download, whose steps are megabytes."""
    if not progress.total:
        return tr("asking where it is")
    done, total = (format_bytes(count * 1_000_000) for count in (progress.step, progress.total))
    return tr("{done} of {total}", done=done, total=total)


def _remaining(seconds: float) -> str:
    if seconds < 60:
        return tr("less than a minute left")
    minutes = round(seconds / 60)
    if minutes < 90:
        return tr("about {count} min left", count=minutes)
    return tr("about {count} h left", count=round(minutes / 60))
