"""The jobs that wait or run, and those that ended: what the docker says of each."""

from __future__ import annotations

from functools import partial

from ..backend import calls
from ..backend.api_responses import JobView, Progress
from ..backend.lora_header import in_words
from ..errors import BackendError
from ..i18n import tr
from ..image import Picture, thumbnail
from ..ui.job_card import JobLine
from .context import Desk

PREVIEW_LINES = 4  # a probe's preview, in lines of text
MOST_PREVIEWS = 4
KINDS = ("generate", "learn", "download")  # that have a card, in the order they are done


class Jobs:
    """Keeps the newest view of each job and shows the cards."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._open: dict[str, JobView] = {}
        self._done: dict[str, JobView] = {}
        self._order: tuple[str, ...] = ()  # of those that wait, where the artist changed it
        self._previewed: dict[str, str] = {}  # job id: the blobs shown on its card
        desk.panel.job_wanted.connect(self._on_wanted)
        desk.panel.job_moved.connect(self._on_moved)

    @property
    def all(self) -> tuple[JobView, ...]:
        return (*self._open.values(), *self._done.values())

    @property
    def done(self) -> tuple[JobView, ...]:
        return tuple(self._done.values())

    def take_all(self, jobs: tuple[JobView, ...]) -> None:
        """After a connection: all there are."""
        self._open = {job.id: job for job in jobs if not job.is_over}
        self._done = {job.id: job for job in jobs if job.is_over}
        self.show()
        if sum(job.state == "queued" for job in self._open.values()) > 1:
            self._desk.link.ask(
                lambda client: client.waiting(), self._on_order, self._desk.on_trouble
            )

    def take(self, job: JobView) -> bool:
        """One job's news; say whether it has ended just now."""
        was_open = self._open.pop(job.id, None) is not None
        if job.is_over:
            self._done[job.id] = job
        else:
            self._open[job.id] = job
        self.show()
        return was_open and job.is_over

    def show(self) -> None:
        shown = [job for job in self._open.values() if job.kind in KINDS]
        shown.sort(key=self._place)
        self._desk.panel.show_jobs([line_of(job) for job in shown])
        for job in shown:
            self._show_previews(job)

    def _place(self, job: JobView) -> tuple[bool, int, int, float]:
        """What runs, then what is painted, learnt, downloaded: so the backend does it too."""
        known = self._order.index(job.id) if job.id in self._order else len(self._order)
        return job.state == "queued", KINDS.index(job.kind), known, job.created

    def downloading(self) -> set[str]:
        """The models that are on their way."""
        return {job.title for job in self._open.values() if job.kind == "download"}

    def cancel_first(self) -> None:
        """Cancel what runs, or else what waits: the shortcut's meaning."""
        running = sorted(self._open.values(), key=lambda one: one.state != "running")
        for job in running[:1]:
            self._on_wanted(job.id, "cancel")

    def _show_previews(self, job: JobView) -> None:
        images = job.progress.previews[:MOST_PREVIEWS]
        names = " ".join(image.blob for image in images)
        if job.kind != "learn" or not names or self._previewed.get(job.id) == names:
            return
        self._previewed[job.id] = names
        self._desk.link.ask(
            partial(calls.fetch_results, images=images),
            partial(self._on_previews, job.id),
            lambda trouble: None,  # the next probe brings others
        )

    def _on_previews(self, job_id: str, pictures: list[Picture]) -> None:
        card = self._desk.panel.card(job_id)
        if card is None:
            return
        ratio = card.devicePixelRatioF()
        side = round(card.fontMetrics().height() * PREVIEW_LINES * ratio)
        shown = [thumbnail(picture, side) for picture in pictures]
        for pixmap in shown:
            pixmap.setDevicePixelRatio(ratio)
        card.show_previews(shown)

    def _on_wanted(self, job_id: str, verb: str) -> None:
        refused = partial(self._on_refused, job_id)
        if verb == "sooner":
            kin = {job.id for job in self._open.values() if job.kind == self._open[job_id].kind}
            self._desk.link.ask(
                partial(calls.do_next, job_id=job_id, kin=kin), self._on_order, refused
            )
            return
        self._desk.link.ask(
            lambda client: client.tell_job(job_id, verb), self._desk.on_job, refused
        )

    def _on_moved(self, job_id: str, before: str | None) -> None:
        self._desk.link.ask(
            partial(calls.move, job_id=job_id, before=before),
            self._on_order,
            partial(self._on_refused, job_id),
        )

    def _on_order(self, waiting: tuple[str, ...]) -> None:
        self._order = waiting
        self.show()

    def _on_refused(self, job_id: str, error: BackendError) -> None:
        card = self._desk.panel.card(job_id)
        if card is not None:
            card.accept_again()
        self._desk.on_trouble(error)


def line_of(job: JobView) -> JobLine:
    progress, is_running = job.progress, job.state == "running"
    title = {
        "generate": tr("Painting {title}", title=job.title),
        "learn": tr("Learning {title}", title=job.title),
        "download": tr("Downloading {title}", title=job.title),
    }[job.kind]
    return JobLine(
        job_id=job.id,
        title=title,
        detail=" · ".join(_details(job)),
        fraction=progress.fraction,
        is_known=not is_running or progress.fraction > 0,
        kind=job.kind,
        is_paused=job.state == "paused",
        is_waiting=job.state == "queued",
        likeness=tuple((point.step, point.subject_fidelity) for point in progress.curve),
        total=progress.total,
    )


def _details(job: JobView) -> list[str]:
    progress = job.progress
    if job.state == "queued":
        return [tr("waiting")]
    if job.kind == "download":
        return [_fetched(job.progress)]
    parts = [tr(progress.phase) if job.state == "running" else tr("paused")]
    if job.stalled:
        parts = [tr("gives no sign of life")]
    if progress.total:
        parts.append(tr("step {step} of {total}", step=progress.step, total=progress.total))
    if progress.eta_s is not None and job.state == "running":
        parts.append(remaining(progress.eta_s))
    return parts


def _fetched(progress: Progress) -> str:
    """A download's steps are megabytes."""
    if not progress.total:
        return tr("asking where it is")
    done, total = (in_words(count * 1_000_000) for count in (progress.step, progress.total))
    return tr("{done} of {total}", done=done, total=total)


def remaining(seconds: float) -> str:
    if seconds < 60:
        return tr("less than a minute left")
    minutes = round(seconds / 60)
    if minutes < 90:
        return tr("about {count} min left", count=minutes)
    return tr("about {count} h left", count=round(minutes / 60))
