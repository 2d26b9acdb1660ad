"""Models that the backend has or can download: offered in its dialog, downloaded as jobs."""

from __future__ import annotations

from functools import partial

from ..backend.api_responses import JobView, ModelView
from ..backend.connection_thread import BackendConnection
from ..errors import BackendError
from ..i18n import tr
from ..ui.model_list import ModelListWidget
from ..ui.panel import Panel
from .jobs import Jobs
from .notices import Notices


class Models:
    """Fills the newest list of models; a list that was replaced is not updated any more."""

    def __init__(
        self, panel: Panel, connection: BackendConnection, notices: Notices, jobs: Jobs
    ) -> None:
        self._panel, self._connection, self._notices = panel, connection, notices
        self._jobs = jobs
        self._list: ModelListWidget | None = None
        jobs.on_end("download", self._on_end)

    def fill(self, widget: ModelListWidget) -> None:
        """Fill the list as soon as the backend has answered, and download what it asks for."""
        self._list = widget
        widget.download_wanted.connect(partial(self._download, widget))
        self._connection.request(
            lambda client: client.models(),
            partial(self._show, widget),
            lambda error: None,  # the capabilities stay there to be read
        )

    def _show(self, widget: ModelListWidget, models: tuple[ModelView, ...]) -> None:
        if widget is self._list:
            widget.show_models(models, self._jobs.downloading())

    def _download(self, widget: ModelListWidget, model_id: str) -> None:
        widget.mark(model_id, is_coming=True)
        self._jobs.download(model_id, partial(self._on_refused, widget, model_id))

    def _on_refused(self, widget: ModelListWidget, model_id: str, error: BackendError) -> None:
        if widget is self._list:
            widget.mark(model_id, is_coming=False)
        self._notices.show_request_error(error)

    def _on_end(self, job: JobView) -> None:
        """Say that a model is downloaded, or offer it again after an error."""
        if self._list is not None and job.title in self._list.buttons:
            self._list.mark(job.title, is_coming=job.state == "done")
        if job.state == "done":
            self._panel.notice.say(tr("{title} is here.", title=job.title), icon="dialog-ok")
            self._connection.refresh_capabilities()
