"""The models that the backend has or could download: offered in its form, fetched as jobs."""

from __future__ import annotations

from functools import partial

from ..backend.api_requests import DownloadRequest
from ..backend.api_responses import JobView, ModelView
from ..errors import BackendError
from ..i18n import tr
from ..ui.model_list import ModelRows
from .context import Desk
from .jobs import Jobs


class Stock:
    """Serves the newest form; one that was closed and replaced hears nothing any more."""

    def __init__(self, desk: Desk, jobs: Jobs) -> None:
        self._desk, self._jobs = desk, jobs
        self._rows: ModelRows | None = None

    def attend(self, rows: ModelRows) -> None:
        """Fill `rows` as soon as the backend has told, and do what they ask for."""
        self._rows = rows
        rows.wanted.connect(partial(self._download, rows))
        self._desk.link.ask(
            lambda client: client.models(),
            partial(self._show, rows),
            lambda trouble: None,  # what was known of it stays there to be read
        )

    def _show(self, rows: ModelRows, models: tuple[ModelView, ...]) -> None:
        if rows is self._rows:
            rows.show_models(models, self._jobs.downloading())

    def _download(self, rows: ModelRows, model_id: str) -> None:
        rows.mark(model_id, is_coming=True)
        self._desk.link.ask(
            lambda client: client.submit(DownloadRequest(model_id)),
            self._desk.on_job,
            partial(self._on_refused, rows, model_id),
        )

    def _on_refused(self, rows: ModelRows, model_id: str, error: BackendError) -> None:
        if rows is self._rows:
            rows.mark(model_id, is_coming=False)
        self._desk.on_trouble(error)

    def on_end(self, job: JobView) -> None:
        """A download is over: offer the model again, or say that it is here."""
        if self._rows is not None and job.title in self._rows.buttons:
            self._rows.mark(job.title, is_coming=job.state == "done")
        if job.state == "done":
            self._desk.panel.notice.say(tr("{title} is here.", title=job.title), icon="dialog-ok")
            self._desk.link.look_again()
