"""Fill the learn dialog with the backend's answers: class noun, identifier, estimate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Callable

from ..backend import workflows
from ..backend.api_responses import (
    MOST_PICTURES,
    ClassNounList,
    ClassNounMatch,
    Estimate,
    JobView,
)
from ..backend.client import Client
from ..backend.connection_thread import BackendConnection
from ..i18n import tr
from ..image import Image
from ..qt import QtCore
from ..ui.estimate_text import estimate_text
from ..ui.learn_dialog import LearnDialog
from .jobs import Jobs

TYPING_MS = 200  # the pause after which a noun is looked up


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
        self._match: tuple[tuple[str, str], ClassNounMatch] | None = None  # by base model, noun
        self._timer = QtCore.QTimer(dialog)
        self._timer.setSingleShot(True)
        self._timer.setInterval(TYPING_MS)
        self._timer.timeout.connect(self._request_match)
        dialog.estimate_wanted.connect(self._request_estimate)
        dialog.base_model.currentIndexChanged.connect(self._request_nouns)
        dialog.base_model.currentIndexChanged.connect(self._timer.start)
        dialog.class_noun.editTextChanged.connect(self._timer.start)
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
        """Say that nothing the base model knows is near to the class noun, or nothing."""
        match = self._current_match()
        if match is None or match.class_noun:
            return ""
        return tr("This model has nothing near to it. Use a more common word, or choose:")

    def noun_hint(self) -> str:
        """Say what the class noun that is entered is learnt as, if it is another one, or that
        nothing is near to it.
        """
        match, noun = self._current_match(), self._dialog.request().class_noun
        if not noun:
            waiting = tr("Looking at the layers…")
            return waiting if self._is_waiting else tr("Any everyday word, in English or Russian.")
        if match is None or match.class_noun == noun.lower():
            return ""
        if not match.class_noun:
            return "" if self._dialog.is_noun_begun else self.noun_error()
        said = tr("Learnt as “{noun}”, the nearest that this model knows.", noun=match.class_noun)
        if match.meant:
            said = f"{tr('Taken for “{noun}”.', noun=match.meant)} {said}"
        return f"{said} {tr('Or choose:')}" if match.alternatives else said

    def noun_choices(self) -> tuple[str, ...]:
        """Return the class nouns that stand behind `noun_error` or `noun_hint` as links."""
        match = self._current_match()
        return match.alternatives if match is not None else ()

    def _current_match(self) -> ClassNounMatch | None:
        """Return the answer for what is entered now; None for no noun or while it is awaited."""
        request = self._dialog.request()
        if self._match is None or not request.class_noun:
            return None
        asked, match = self._match
        return match if asked == (request.base_model, request.class_noun) else None

    def _request_match(self) -> None:
        request = self._dialog.request()
        if self._is_closed or not request.class_noun:
            return
        asked = request.base_model, request.class_noun
        self._connection.request(
            lambda client: client.match_class_noun(*asked),
            partial(self._on_match, asked),
            lambda error: None,  # then the backend alone checks the noun
        )

    def _on_match(self, asked: tuple[str, str], match: ClassNounMatch) -> None:
        if not self._is_closed:
            self._match = asked, match
            self._on_change()

    def _submit(self, client: Client, images: Sequence[Image], base_model: str) -> JobView:
        """Submit the job on the background thread; cancel it if the dialog is gone by then."""
        job = workflows.describe(client, images, base_model)
        self._job_id = job.id  # before `_is_closed` is read: `close` does it the other way round
        return client.control_job(job.id, "cancel") if self._is_closed else job

    def _cancel_job(self) -> None:
        job_id, self._job_id = self._job_id, ""
        if job_id:
            self._jobs.cancel(job_id)

    def _on_job(self, job: JobView) -> None:
        if self._is_closed or job.id != self._job_id:
            return
        if job.result is not None:
            guesses = [guess.noun for guess in job.result.class_nouns]
            self._dialog.suggest(guesses, job.result.identifiers)
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
        base_model = self._dialog.request().base_model
        self._connection.request(
            lambda client: client.class_nouns(base_model),
            partial(self._on_nouns, base_model),
            lambda error: None,  # then none is completed
        )

    def _on_nouns(self, base_model: str, nouns: ClassNounList) -> None:
        if not self._is_closed and self._dialog.request().base_model == base_model:
            self._dialog.show_known_nouns([*nouns.everyday_nouns, *nouns.class_nouns])
