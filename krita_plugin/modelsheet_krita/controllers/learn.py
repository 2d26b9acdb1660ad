"""Learn a subject: open the dialog for the selected layers, check it, submit the job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Callable

from ..backend import workflows
from ..backend.api_responses import (
    MOST_PICTURES,
    BaseModelView,
    Capabilities,
    JobView,
    SubjectView,
)
from ..backend.connection_thread import BackendConnection
from ..document.document import OpenDocument
from ..errors import BackendError, BadInput
from ..i18n import tr, trn
from ..image import Image
from ..mentions import handle
from ..ui.learn_dialog import DEFAULT_PRESET, LearnDialog
from ..ui.model_list import model_name
from ..ui.panel import Panel
from . import subject_names
from .embedded_subjects import EmbeddedSubjects
from .jobs import Jobs
from .learn_images import LearnImages
from .learn_sizes import LearnSizes
from .learn_suggestions import LearnSuggestions
from .notices import Notices
from .subjects import Subjects

FALLBACK_BASE_MODEL = "sprite32"
CLI_PRESETS = ("write-up", "seed")  # for comparisons; "seed" is its name in API 1.0


class LearnController:
    """Owns the newest learn dialog; a subject that is learnt again replaces its former version."""

    def __init__(
        self,
        panel: Panel,
        connection: BackendConnection,
        notices: Notices,
        jobs: Jobs,
        subjects: Subjects,
        embedded_subjects: EmbeddedSubjects,
        current_document: Callable[[], OpenDocument],
        paint: Callable[[str], None],
    ) -> None:
        """`paint` paints a prompt at once, into the docker."""
        self._panel, self._connection, self._notices = panel, connection, notices
        self._jobs, self._subjects, self._embedded_subjects = jobs, subjects, embedded_subjects
        self._current_document, self._paint = current_document, paint
        self._session: _Session | None = None
        panel.subjects.learn_wanted.connect(self.open)
        panel.subjects.relearn_wanted.connect(notices.guard(self._learn_again))
        jobs.on_end("learn", self._on_end)
        connection.subscribe(panel, closing=self._end_session)

    @property
    def dialog(self) -> LearnDialog:
        """The newest dialog."""
        assert self._session is not None
        return self._session.dialog

    @property
    def images(self) -> LearnImages:
        """The images in the newest dialog."""
        assert self._session is not None
        return self._session.images

    def open(self) -> None:
        """Read the selected layers and open the dialog; show the error if there is no image."""
        self._notices.attempt(self._open)

    def _open(self) -> None:
        if self._session is not None and self._session.is_active:
            self._session.dialog.raise_()
            self._session.dialog.activateWindow()
            return
        self._panel.notice.hide()
        self._start_session(self._current_document(), None, [])

    def _learn_again(self, subject_id: str) -> None:
        """Open the dialog with the subject's pictures and, where it is learnt already, those of the
        selected layers.
        """
        subject = self._subjects.get(subject_id)
        document = self._current_document() if subject.is_learnt else None
        self._connection.request(
            partial(workflows.fetch_references, references=subject.references),
            lambda images: self._start_session(document, subject, _captioned(images, subject)),
            self._notices.show_request_error,
        )

    def _start_session(
        self,
        document: OpenDocument | None,
        replaced: SubjectView | None,
        references: list[Image],
    ) -> None:
        self._end_session()
        dialog = LearnDialog(self._panel.icon, self._panel.window())
        _fill_choices(dialog, self._connection.state.capabilities, replaced)
        images = LearnImages(dialog, document, self._connection, references)
        sizes = LearnSizes(dialog, images, self._connection, self._jobs)
        self._session = session = _Session(
            dialog,
            images,
            LearnSuggestions(dialog, self._connection, self._jobs, self._check),
            sizes,
            replaced,
        )
        dialog.read_wanted.connect(partial(images.read_again, self._notices.show_error))
        dialog.changed.connect(self._check)
        dialog.base_model.currentIndexChanged.connect(self._check)
        dialog.tried.connect(self._notices.guard(self._try))
        dialog.sent.connect(self._notices.guard(self._send))
        dialog.finished.connect(session.stop)
        for part in (session.suggestions, sizes):
            dialog.destroyed.connect(part.close)  # with its window
        images.read(partial(self._on_read, session), self._notices.show_error)

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _on_read(self, session: _Session) -> None:
        require_base_model(self._connection.state.capabilities)
        session.images.show()
        session.dialog.show()
        session.suggestions.request(session.images.all)

    def _check(self) -> None:
        """Show what the name means, how many images there are, and what is missing."""
        session = self._session
        assert session is not None
        request = session.dialog.request()
        count = len(session.dialog.images.chosen())
        session.dialog.count.setText(
            trn("This picture will be learnt:", "These {count} pictures will be learnt:", count)
        )
        name_error = self._name_error(session, request.name)
        if not request.name:
            hint = tr("You will write @name in prompts.")
        else:
            hint = name_error or subject_names.hint(request.name)
        noun_error = session.suggestions.noun_error()
        missing = name_error or noun_error
        if not request.class_noun:
            missing = missing or tr("Say what the layers show.")
        if not count:
            missing = missing or tr("Tick a picture to learn from.")
        model = self._base_model(request.base_model)
        cannot_try = model.references_note if model and not model.takes_references else ""
        session.dialog.show_hints(hint, missing=missing, cannot_try=cannot_try)
        session.dialog.show_noun_hint(
            session.suggestions.noun_hint(), session.suggestions.noun_choices()
        )

    def _name_error(self, session: _Session, name: str) -> str:
        taken = self._subjects.learnt_handles()
        if session.replaced is not None:
            taken.discard(handle(session.replaced.name))
        return subject_names.name_error(name, taken)

    def _base_model(self, model_id: str) -> BaseModelView | None:
        capabilities = self._connection.state.capabilities
        models = capabilities.base_models if capabilities else ()
        return next((model for model in models if model.id == model_id), None)

    def _try(self) -> None:
        """Make a subject of the pictures, and paint it by them."""
        session = self._session
        assert session is not None
        self._request(workflows.add_unlearnt, partial(self._on_tried, session))

    def _on_tried(self, session: _Session, subject: SubjectView) -> None:
        word = handle(subject.name)
        text = tr("First pictures of @{word} come into the docker.", word=word)
        session.dialog.remarks.say(text, icon="dialog-ok")
        self._check()
        self._mention(word)
        self._paint(f"@{word}")

    def _send(self) -> None:
        session = self._session
        assert session is not None
        self._request(workflows.learn, partial(self._on_sent, session))

    def _request(self, call: Callable[..., Any], on_answer: Callable[[Any], None]) -> None:
        """Make a call with the entries and the ticked pictures. Raises BadInput."""
        session = self._session
        assert session is not None
        request, chosen = session.dialog.request(), session.dialog.images.chosen()
        name_error = self._name_error(session, request.name)
        if name_error:
            raise BadInput(name_error)
        if not request.class_noun:
            raise BadInput(tr("Say what the layers show, for example: girl, fox, robot."))
        if len(chosen) > MOST_PICTURES:
            session.dialog.remarks.say(_too_many(len(chosen)))
            return
        session.dialog.learn.setEnabled(False)
        session.dialog.try_now.setEnabled(False)
        images = [session.images.all[row] for row, _ in chosen]
        former = session.replaced.id if session.replaced and session.replaced.is_learnt else ""
        captions = tuple(caption for _, caption in chosen)
        request = replace(request, captions=captions, replaces=former)
        self._connection.request(
            partial(call, images=images, request=request),
            on_answer,
            partial(self._on_refused, session),
        )

    def _on_sent(self, session: _Session, job: JobView) -> None:
        session.dialog.accept()
        if session.replaced is not None and session.replaced.is_learnt:
            # Before the list comes without it; the job's id becomes the subject's.
            self._subjects.note_replaced(session.replaced.id)
            self._embedded_subjects.set_successor(session.replaced.id, job.id)
        self._jobs.add(job)

    def _on_refused(self, session: _Session, error: BackendError) -> None:
        session.dialog.remarks.say(str(error))
        self._check()

    def _on_end(self, job: JobView) -> None:
        """Say that the subject is learnt; the backend has put its former version into the trash."""
        if job.error is not None or job.state != "done":
            return
        word = handle(job.title)
        text = tr("“{title}” is learnt. Write @{word} in a prompt.", title=job.title, word=word)
        self._panel.notice.say(text, icon="dialog-ok")
        self._mention(word)
        self._embedded_subjects.offer_successor(job.id)

    def _mention(self, word: str) -> None:
        """Put the subject into the prompt, if that is empty."""
        if not self._panel.prompt.text().strip():
            self._panel.prompt.mention(word)


class _Session:
    """One dialog with its images and suggestions; `replaced` is the subject to learn again."""

    def __init__(
        self,
        dialog: LearnDialog,
        images: LearnImages,
        suggestions: LearnSuggestions,
        sizes: LearnSizes,
        replaced: SubjectView | None,
    ) -> None:
        self.dialog, self.images, self.suggestions = dialog, images, suggestions
        self.sizes, self.replaced = sizes, replaced

    @property
    def is_active(self) -> bool:
        return self.images.is_reading or self.dialog.isVisible()

    def stop(self) -> None:
        """Read and describe no more: the dialog is closed. A learn job that it has submitted goes
        on.
        """
        self.images.stop()
        self.suggestions.close()
        self.sizes.close()

    def close(self) -> None:
        """Remove the dialog."""
        self.stop()
        self.dialog.close()
        self.dialog.deleteLater()


def require_base_model(capabilities: Capabilities | None) -> None:
    """Raise BadInput when no base model can learn."""
    models = capabilities.base_models if capabilities else ()
    if models and not any(model.available for model in models):
        raise BadInput(tr("There is nothing to learn with yet. {why}", why=models[0].note))


def _captioned(images: Sequence[Image], subject: SubjectView) -> list[Image]:
    """Name the subject's pictures by its captions, which the dialog shows."""
    captions = subject.captions or [""] * len(images)
    named = zip(images, captions)
    return [replace(image, name=caption) if caption else image for image, caption in named]


def _fill_choices(
    dialog: LearnDialog, capabilities: Capabilities | None, replaced: SubjectView | None
) -> None:
    presets = capabilities.presets if capabilities else (DEFAULT_PRESET,)
    dialog.show_presets([preset for preset in presets if preset not in CLI_PRESETS])
    models = capabilities.base_models if capabilities else ()
    usable = [(model.id, model_name(model)) for model in models if model.available]
    dialog.show_base_models(usable or [(FALLBACK_BASE_MODEL, FALLBACK_BASE_MODEL)])
    if replaced is not None:
        dialog.name.setText(replaced.name)
        dialog.class_noun.setEditText(replaced.class_noun)
        dialog.choose_base_model(replaced.base_model)


def _too_many(count: int) -> str:
    return tr(
        "{count} pictures are ticked; one subject is learnt from at most {most}. Keep the best of "
        "them.",
        count=count,
        most=MOST_PICTURES,
    )
