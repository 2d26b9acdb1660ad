"""Decides what clicks and the backend's news mean, and what the panel shows of them. No Krita."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Callable

from ..backend import calls
from ..backend.api_responses import JobView, SubjectView
from ..backend.connection import BackendLink
from ..backend.link_state import LinkState
from ..errors import BackendError, PluginError
from ..guard import guarded
from ..i18n import tr
from ..image import Picture
from ..qt import QtCore
from ..ui.panel import Panel
from ..ui.widgets import IconSource
from . import subject_names
from .embedded_subjects import Carrying
from .explore import Exploring
from .generate import Generating
from .import_export import Exchange
from .jobs import Jobs
from .learn import Learning
from .models import Stock
from .presets import Presets
from .saved_state import Memory
from .subjects import Shelf

logger = logging.getLogger(__name__)
FALLBACK_RESOLUTION = 512


class Controller(QtCore.QObject):
    """One per docker. `current_document` gives the document in front or raises BadInput."""

    def __init__(
        self,
        panel: Panel,
        link: BackendLink,
        *,
        preferences: Memory,
        current_document: Callable[[], Any],
        icon: IconSource,
    ) -> None:
        super().__init__(panel)
        self.panel, self.link, self.preferences = panel, link, preferences
        self.current_document, self.icon = current_document, icon
        self.learning: Learning | None = None
        self._replaced: dict[str, str] = {}  # learn job to the subject it learns again
        self.shelf = Shelf(self)
        self.exchange = Exchange(self, self.shelf)
        self.carrying = Carrying(self, self.shelf, self.exchange)
        self.jobs = Jobs(self)
        self.generating = Generating(self)
        self.exploring = Exploring(self, self.generating)
        self.presets = Presets(self)
        self.stock = Stock(self, self.jobs)
        self._connect_panel()
        link.state_changed.connect(self._on_state)
        link.jobs_listed.connect(self._on_jobs)
        link.job_changed.connect(self.on_job)
        link.subjects_listed.connect(self._on_subjects)
        link.stumbled.connect(panel.notice.say)
        self._on_state(link.state)
        link.tell_all()

    def _connect_panel(self) -> None:
        panel, attempt = self.panel, self.attempt
        panel.list.learn_wanted.connect(self.learn)
        panel.list.relearn_wanted.connect(lambda key: attempt(partial(self._relearn, key)))
        panel.box.generate_wanted.connect(self.generate)
        panel.apply_wanted.connect(lambda keys, how: attempt(partial(self._apply, keys, how)))
        panel.result_wanted.connect(
            lambda what, keys: attempt(partial(self.generating.act, what, keys))
        )
        panel.retry_wanted.connect(self.link.wake)
        panel.prompt.show_history(self.preferences.history())

    def attempt(self, action: Callable[[], None]) -> None:
        """Run what a click asked for; say in the docker why it could not be done."""
        guarded(partial(self._run, action), self._on_stumble)

    def _run(self, action: Callable[[], None]) -> None:
        try:
            action()
        except PluginError as error:
            self.panel.notice.say(str(error))

    def _on_stumble(self, error: Exception) -> None:
        self.panel.notice.say(
            tr(
                "Modelsheet stumbled ({why}). The document is as it was; try again, and report it "
                "if it stays.",
                why=f"{type(error).__name__}: {error}",
            )
        )

    def learn(self) -> None:
        """Read the selected layers and open the form."""
        self.attempt(self._open_form)

    def generate(self) -> None:
        self.attempt(self.generating.start)

    def apply(self) -> None:
        """Apply what is selected among the results."""
        self.attempt(partial(self._apply, self.panel.results.chosen(), "layers"))

    def _open_form(self) -> None:
        if self.learning is not None and self.learning.is_at_work:
            self.learning.show()
            return
        self.panel.notice.hide()
        document = self.current_document()
        self._end_learning()
        self.learning = Learning(self, document)

    def _end_learning(self) -> None:
        """Take the last form away; its job goes on."""
        if self.learning is not None:
            self.learning.close()
            self.learning = None

    def _relearn(self, subject_id: str) -> None:
        subject, document = self.shelf.get(subject_id), self.current_document()
        self.link.ask(
            partial(calls.fetch_references, references=subject.references),
            lambda pictures: self._on_references(subject, document, pictures),
            self.on_trouble,
        )

    def _on_references(self, subject: SubjectView, document: Any, pictures: list[Picture]) -> None:
        self._end_learning()
        self.learning = Learning(self, document, replaced=subject, references=pictures)

    def replace_when_done(self, job_id: str, subject_id: str) -> None:
        self._replaced[job_id] = subject_id

    def _apply(self, keys: list[int], how: str) -> None:
        self.panel.preview.hide()
        self.panel.notice.hide()
        self.generating.apply(keys, how)

    def subjects(self) -> tuple[SubjectView, ...]:
        return self.shelf.subjects

    def handles(self) -> set[str]:
        """The @words that are taken."""
        return self.shelf.handles()

    def resolution(self) -> int:
        capabilities = self.link.state.capabilities
        models = capabilities.base_models if capabilities else ()
        usable = [model.resolution for model in models if model.available]
        return max(usable, default=FALLBACK_RESOLUTION)

    def note_subjects(self, document: Any, prompt: str) -> None:
        named = [
            subject
            for subject in self.shelf.subjects
            if f"@{subject_names.handle(subject.name)}" in prompt.casefold().split()
        ]
        if named:
            document.remember_subjects(named)

    def look_at_document(self) -> None:
        """Say which of its subjects the document in front misses here."""
        self.carrying.look()

    def on_trouble(self, error: BackendError) -> None:
        # When nobody answers the trouble notice says so already.
        if self.link.state.phase != "down":
            self.panel.notice.say(str(error))

    def _on_state(self, state: LinkState) -> None:
        connected = state.phase == "connected"
        self.panel.generate.setEnabled(connected)
        self.panel.box.explore.setEnabled(connected)
        if state.phase == "down":
            self.panel.trouble.say(state.sentence, action=tr("Try Again"))
            self.panel.show_jobs(())
        else:
            self.panel.trouble.hide()
        self.panel.status.setText(_status(state))

    def _on_jobs(self, jobs: tuple[JobView, ...]) -> None:
        """Take over all jobs after a connection: also those that ended while nobody listened."""
        self.jobs.take_all(jobs)
        self.generating.on_jobs(jobs)

    def on_job(self, job: JobView) -> None:
        """Take one job's news."""
        if self.learning is not None and self.learning.on_job(job):
            return
        if self.jobs.take(job):
            self._on_end(job)
        self.generating.on_job(job)

    def _on_end(self, job: JobView) -> None:
        if job.kind == "download":
            self.stock.on_end(job)
        if job.error is not None:
            self.panel.notice.say(job.error.sentence)
        elif job.kind == "learn" and job.state == "done":
            if job.id in self._replaced:
                former = self._replaced.pop(job.id)
                if job.result is not None:
                    self.carrying.follow(former, job.result.subject_id)
                self.shelf.discard(former)
            word = subject_names.handle(job.title)
            said = tr("“{title}” is learnt. Write @{word} in a prompt.", title=job.title, word=word)
            self.panel.notice.say(said, icon="dialog-ok")
            if not self.panel.prompt.text().strip():
                self.panel.prompt.mention(word)

    def _on_subjects(self, subjects: tuple[SubjectView, ...]) -> None:
        self.shelf.take_all(subjects)
        self.attempt(self.look_at_document)


def _status(state: LinkState) -> str:
    if state.phase == "connected":
        version = state.capabilities.version if state.capabilities else ""
        return tr("Backend: ready (version {version})", version=version)
    return {
        "idle": tr("Backend: not asked yet"),
        "looking": tr("Backend: looking for it…"),
        "starting": tr("Backend: starting…"),
        "down": tr("Backend: not connected"),
    }[state.phase]
