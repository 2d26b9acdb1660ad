"""Fill the learn dialog with the backend's suggestions: class noun, identifier, estimate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Callable

from ..backend import workflows
from ..backend.api_responses import MOST_PICTURES, Estimate, JobView
from ..backend.client import Client
from ..backend.connection_thread import BackendConnection
from ..i18n import tr
from ..image import Image
from ..ui.estimate_text import estimate_text
from ..ui.learn_dialog import LearnDialog
from . import subject_names
from .jobs import Jobs

MOST_SUGGESTIONS = 5
# Probability at which the first guess is entered; a wrong noun spoils the likeness.
SURE = 0.25


class LearnSuggestions:
    """Suggestions for one dialog; calls `on_change` when its entries must be checked again.

    A request that fails is ignored: the artist can fill in the dialog without help, and the docker
    shows what is wrong with the connection.
    """

    def __init__(
        self,
        dialog: LearnDialog,
        connection: BackendConnection,
        jobs: Jobs,
        on_change: Callable[[], None],
    ) -> None:
        self._dialog, self._connection, self._jobs = dialog, connection, jobs
        self._on_change = on_change
        self._is_waiting = self._is_closed = False
        self._job_id = ""  # of the job that describes the images, while it is not over
        self._guesses: list[str] = []
        self._known_nouns: tuple[str, ...] = ()  # of the base model
        dialog.estimate_wanted.connect(self._request_estimate)
        dialog.base_model.currentIndexChanged.connect(self._request_nouns)
        self._request_estimate()
        self._request_nouns()

    def close(self) -> None:
        """Cancel the job that describes the images, and ignore what still comes: the dialog is
        gone.
        """
        self._is_closed = True
        self._cancel_job()

    def request(self, images: Sequence[Image]) -> None:
        """Submit a job that suggests a class noun and an identifier for the images."""
        self._cancel_job()
        self._is_waiting = True
        self._on_change()
        self._connection.request(
            partial(
                self._submit,
                images=images[:MOST_PICTURES],
                base_model=self._dialog.request().base_model,
            ),
            lambda job: self._jobs.follow(job, self._on_job),
            lambda error: self._stop_waiting(),
        )

    def noun_error(self) -> str:
        """Say why the base model does not take the class noun that is entered, or nothing."""
        request = self._dialog.request()
        return subject_names.noun_error(request.class_noun, self._known_nouns, request.base_model)

    def noun_hint(self) -> str:
        """Say what is known of the class noun while none is entered."""
        if self._dialog.request().class_noun:
            return ""
        if self._is_waiting:
            return tr("Looking at the layers…")
        if self._guesses:
            return tr("Hard to say what it is; perhaps: {words}.", words=", ".join(self._guesses))
        return ""

    def _submit(self, client: Client, images: Sequence[Image], base_model: str) -> JobView:
        """Submit the job on the background thread; cancel it if the dialog is gone by then."""
        job = workflows.describe(client, images, base_model)
        self._job_id = job.id  # before `_is_closed` is read: `close` does it the other way round
        return client.control_job(job.id, "cancel") if self._is_closed else job

    def _cancel_job(self) -> None:
        job_id, self._job_id = self._job_id, ""
        if job_id:
            self._connection.request(
                lambda client: client.control_job(job_id, "cancel"),
                lambda job: None,
                lambda error: None,  # it is over already, or the backend is gone
            )

    def _on_job(self, job: JobView) -> None:
        if self._is_closed or job.id != self._job_id:
            return
        if job.result is not None:
            guesses = job.result.class_nouns[:MOST_SUGGESTIONS]
            self._guesses = [guess.noun for guess in guesses]
            is_sure = bool(guesses) and guesses[0].probability >= SURE
            self._dialog.suggest(self._guesses, job.result.identifiers, is_sure=is_sure)
        if job.is_over:
            self._job_id = ""
            self._stop_waiting()

    def _stop_waiting(self) -> None:
        if not self._is_closed:
            self._is_waiting = False
            self._on_change()

    def _request_estimate(self) -> None:
        request = self._dialog.request()
        self._connection.request(
            lambda client: client.estimate(request.base_model, request.preset),
            partial(self._on_estimate, request.base_model, request.preset),
            lambda error: None,
        )

    def _on_estimate(self, base_model: str, preset: str, estimate: Estimate) -> None:
        if self._is_closed:
            return
        request = self._dialog.request()
        if (request.base_model, request.preset) == (base_model, preset):  # not an older choice's
            self._dialog.estimate.setText(estimate_text(estimate))

    def _request_nouns(self) -> None:
        self._known_nouns = ()  # no noun is checked by another model's list
        base_model = self._dialog.request().base_model
        self._connection.request(
            lambda client: client.class_nouns(base_model),
            partial(self._on_nouns, base_model),
            lambda error: None,  # then the backend alone checks the noun
        )

    def _on_nouns(self, base_model: str, nouns: tuple[str, ...]) -> None:
        if not self._is_closed and self._dialog.request().base_model == base_model:
            self._known_nouns = nouns
            self._dialog.show_known_nouns(nouns)
            self._on_change()
