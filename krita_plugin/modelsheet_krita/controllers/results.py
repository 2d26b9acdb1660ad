"""The results shown in the docker: fetched, grouped by prompt, looked at large, kept by the
backend from one Krita to the next."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..backend import calls
from ..backend.api_responses import GeneratedImage, JobView
from ..errors import BackendError, RequestRefused
from ..i18n import tr
from ..image import Picture, Place, thumbnail
from ..qt import QtCore, Signal
from .context import Desk

MOST_KEPT = 256
JOBS_SHOWN_AGAIN = 16  # of earlier Kritas
PREVIEW_LINES = 18  # how large the large picture is, in lines of text


@dataclass(frozen=True)
class Target:
    """The document in front when Generate was clicked, and where results go in it."""

    document: Any  # document.OpenDocument, which only the border rooms may import
    place: Place


@dataclass(frozen=True)
class Result:
    """One picture that came back."""

    job_id: str
    prompt: str
    image: GeneratedImage
    picture: Picture
    target: Target | None

    @property
    def about(self) -> str:
        size = f"{self.picture.width} × {self.picture.height}"
        text = tr("seed {seed} · {size}", seed=self.image.seed, size=size)
        return f"{text} · {self.image.label}" if self.image.label else text


class Results(QtCore.QObject):
    """Owns them; the gallery shows them under the same keys."""

    shown = Signal(str, object)  # job id, list of Result

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._results: dict[int, Result] = {}
        self._asked_for: set[str] = set()  # jobs whose pictures were fetched or are being so
        self._next_key = 0
        desk.panel.results.pointed_at.connect(self._on_pointed_at)

    def of(self, keys: list[int]) -> list[Result]:
        return [self._results[key] for key in keys if key in self._results]

    def restore(self, jobs: tuple[JobView, ...]) -> None:
        """Fetch what earlier Kritas had painted and the artist did not remove."""
        gone = self._desk.preferences.discarded()
        done = [job for job in jobs if job.result is not None and job.result.images]
        done.sort(key=lambda job: job.created, reverse=True)
        for job in reversed(done[:JOBS_SHOWN_AGAIN]):
            left = [image for image in job.result.images if _name(job.id, image) not in gone]
            self._fetch(job, left, None, self._on_old_trouble)

    def fetch(self, job: JobView, target: Target | None) -> None:
        """Fetch and select what a job of ours has painted."""
        assert job.result is not None
        self._fetch(job, list(job.result.images), target, self._desk.on_trouble)

    def choose_only(self, result: Result) -> None:
        """Select this one and no other."""
        keys = [key for key, one in self._results.items() if one is result]
        self._desk.panel.results.choose_only(keys)

    def discard(self, keys: list[int]) -> None:
        chosen = [self._results.pop(key) for key in keys]
        self._desk.preferences.discard([_name(one.job_id, one.image) for one in chosen])
        self._desk.panel.results.discard(keys)
        self._desk.panel.preview.hide()

    def _fetch(
        self, job: JobView, images: list[GeneratedImage], target: Target | None, on_trouble: Any
    ) -> None:
        if job.id in self._asked_for or not images:
            return
        self._asked_for.add(job.id)
        self._desk.link.ask(
            partial(calls.fetch_results, images=images),
            lambda pictures: self._show(job, images, pictures, target),
            partial(self._on_not_fetched, job.id, on_trouble),
        )

    def _on_not_fetched(self, job_id: str, on_trouble: Any, error: BackendError) -> None:
        if not isinstance(error, RequestRefused):
            self._asked_for.discard(job_id)  # the line was cut: ask again when it is back
        on_trouble(error)

    def _on_old_trouble(self, error: BackendError) -> None:
        # What the backend has swept away since then is not missed.
        if not isinstance(error, RequestRefused):
            self._desk.on_trouble(error)

    def _show(
        self,
        job: JobView,
        images: list[GeneratedImage],
        pictures: list[Picture],
        target: Target | None,
    ) -> None:
        panel = self._desk.panel
        side = panel.thumbnail_side(panel.results)
        clock = time.strftime("%H:%M", time.localtime(job.created))
        panel.results.open_group(job.id, f"{clock}  {job.title}")
        arrived = []
        for image, picture in zip(images, pictures):
            result = Result(job.id, job.title, image, picture, target)
            key, self._next_key = self._next_key, self._next_key + 1
            self._results[key] = result
            arrived.append(result)
            tip = f"{job.title}\n{result.about}"
            panel.results.add(key, job.id, thumbnail(picture, side), tip)
        if target is not None or not panel.results.chosen():
            panel.results.choose(job.id)
        self._drop_oldest()
        self.shown.emit(job.id, arrived)

    def _drop_oldest(self) -> None:
        surplus = sorted(self._results)[: max(0, len(self._results) - MOST_KEPT)]
        for key in surplus:
            del self._results[key]
        self._desk.panel.results.discard(surplus)

    def _on_pointed_at(self, key: int | None) -> None:
        panel = self._desk.panel
        if key not in self._results:
            panel.preview.hide()
            return
        chosen = panel.results.chosen()
        # With another one selected the two are compared.
        keys = [key] if key in chosen or not chosen else [chosen[0], key]
        lines = panel.fontMetrics().height() * PREVIEW_LINES
        side = round(lines * panel.devicePixelRatioF())
        shown = []
        for result in self.of(keys):
            picture = thumbnail(result.picture, side)
            picture.setDevicePixelRatio(panel.devicePixelRatioF())
            shown.append((picture, result.about))
        panel.preview.show_beside(panel, shown)


def _name(job_id: str, image: GeneratedImage) -> str:
    """What a removed result is remembered by."""
    return f"{job_id[:8]}-{image.blob[:8]}"
