"""Embed subjects in the document in front, and import those that a document brings with it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, Callable

from ..backend.api_responses import SubjectView
from ..backend.connection_thread import BackendConnection
from ..document.document import OpenDocument
from ..document.subject_annotations import NotedSubject
from ..errors import PluginError
from ..i18n import format_bytes, tr
from ..mentions import handle, names_in
from ..tasks import IncrementalTask
from ..ui.panel import Panel
from .import_export import ImportExport
from .notices import Notices
from .subjects import Subjects


class EmbeddedSubjects:
    """Compares the subjects of the document in front with those of the backend."""

    def __init__(
        self,
        panel: Panel,
        connection: BackendConnection,
        notices: Notices,
        subjects: Subjects,
        import_export: ImportExport,
        current_document: Callable[[], OpenDocument],
    ) -> None:
        self._panel, self._connection, self._notices = panel, connection, notices
        self._subjects, self._import_export = subjects, import_export
        self._current_document = current_document
        self._task: IncrementalTask[Any] | None = None
        self._reported: tuple[list[str], ...] = ([], [], [])
        self._successors: dict[str, str] = {}  # of subjects that were learnt again
        panel.subjects.is_embedded = self._is_embedded
        panel.subjects.embed_wanted.connect(notices.guard(self._toggle))
        connection.subscribe(panel, subjects=lambda _: notices.attempt(self.check_document))

    def set_successor(self, former: str, successor: str) -> None:
        """Note which subject replaces a former one, also in documents that embed it."""
        self._successors[former] = successor

    def offer_successor(self, successor: str) -> None:
        """Offer it, once it is learnt, to a document that embeds what it replaces."""
        if successor in self._successors.values():
            self._reported = ([], [], [])
            self.check_document()

    def note_in_document(self, document: OpenDocument, prompt: str) -> None:
        """Note in the document the subjects that the prompt names."""
        names = names_in(prompt)
        named = [_noted(subject) for subject in self._subjects.all if handle(subject.name) in names]
        if named:
            document.note_subjects(named)

    def check_document(self) -> None:
        """Say which subjects of the document in front are missing; offer those that it embeds."""
        if self._connection.state.phase != "connected":
            return
        try:
            document = self._current_document()
        except PluginError:
            return
        noted, outdated = document.noted_subjects(), self._outdated(document)
        unknown = self._subjects.unknown(document.embedded_subjects())
        new = [one for one in unknown if one not in outdated]
        missing = self._subjects.missing([one for one in noted if one.id not in unknown])
        found = (new, missing, sorted(outdated))
        if found != self._reported:
            if new:
                self._offer_import(document, new, noted)
            elif outdated:
                self._offer_update(document, next(iter(outdated.values())))
            elif missing:
                self._report_missing(missing)
        self._reported = found

    def _is_embedded(self, subject_id: str) -> bool:
        try:
            return subject_id in self._current_document().embedded_subjects()
        except PluginError:
            return False

    def _outdated(self, document: OpenDocument) -> dict[str, SubjectView]:
        """Map embedded subjects that the backend no longer has to those that replace them.

        A subject is replaced by the one it was learnt again as, or by one of the same name.
        """
        by_id = {subject.id: subject for subject in self._subjects.all}
        by_word = {handle(subject.name): subject for subject in self._subjects.all}
        words = {one.id: handle(one.name) for one in document.noted_subjects()}
        found = {}
        for old in self._subjects.unknown(document.embedded_subjects()):
            new = by_id.get(self._successors.get(old, "")) or by_word.get(words.get(old, ""))
            if new is not None:
                found[old] = new
        return found

    def _toggle(self, subject_id: str) -> None:
        subject, document = self._subjects.get(subject_id), self._current_document()
        if subject_id not in document.embedded_subjects():
            self._request_archive(subject, partial(self._ask_to_embed, subject, document))
            return
        document.remove_embedded_subject(subject_id)
        word = handle(subject.name)
        text = tr("@{word} is removed from “{document}”.", document=document.name, word=word)
        self._panel.notice.say(text, icon="dialog-ok")

    def _request_archive(self, subject: SubjectView, on_answer: Callable[[bytes], None]) -> None:
        self._connection.request(
            lambda client: client.subject_archive(subject.id),
            on_answer,
            self._notices.show_request_error,
        )

    def _ask_to_embed(self, subject: SubjectView, document: OpenDocument, content: bytes) -> None:
        """Say how much larger the document becomes; embed the subject when the artist agrees."""
        self._panel.notice.say(
            tr(
                "@{word} makes “{document}” larger by {size}, and whoever gets the file gets the "
                "subject and the pictures it was learnt from.",
                word=handle(subject.name),
                document=document.name,
                size=format_bytes(len(content)),
            ),
            icon="folder",
            action=tr("Embed"),
            on_action=partial(self._embed, subject, document, content),
        )

    def _embed(self, subject: SubjectView, document: OpenDocument, content: bytes) -> None:
        former = [old for old, new in self._outdated(document).items() if new.id == subject.id]
        work = document.embed_subject(_noted(subject), content, former)
        self._task = IncrementalTask(
            work, lambda _: self._on_embedded(subject, document), self._notices.show_error
        )

    def _on_embedded(self, subject: SubjectView, document: OpenDocument) -> None:
        word = handle(subject.name)
        text = tr(
            "@{word} will be embedded in “{document}” when you save it as .kra.",
            document=document.name,
            word=word,
        )
        self._panel.notice.say(text, icon="dialog-ok")

    def _offer_update(self, document: OpenDocument, subject: SubjectView) -> None:
        embed = partial(self._embed, subject, document)
        self._panel.notice.say(
            tr(
                "“{document}” has another version of @{word} embedded than the one in the list.",
                document=document.name,
                word=handle(subject.name),
            ),
            icon="folder",
            action=tr("Embed This One Instead"),
            on_action=lambda: self._request_archive(subject, embed),
        )

    def _offer_import(
        self, document: OpenDocument, new: Sequence[str], noted: Collection[NotedSubject]
    ) -> None:
        names = {one.id: f"@{handle(one.name)}" for one in noted}
        words = ", ".join(names.get(one, tr("a subject")) for one in new)
        self._panel.notice.say(
            tr(
                "This document brings {words} with it, which this backend does not have yet.",
                words=words,
            ),
            icon="folder",
            action=tr("Import"),
            on_action=partial(self._import, document, new),
        )

    def _report_missing(self, missing: Sequence[str]) -> None:
        words = ", ".join(f"@{word}" for word in missing)
        text = tr(
            "This document paints with {words}, which this backend does not have. Connect to "
            "the one that learnt it, or learn it again.",
            words=words,
        )
        self._panel.notice.say(text)

    def _import(self, document: OpenDocument, subject_ids: Sequence[str]) -> None:
        """Import the embedded subjects one after the other."""
        if not subject_ids:
            return
        self._task = IncrementalTask(
            document.read_embedded_subject(subject_ids[0]),
            lambda content: self._on_content(document, subject_ids, content),
            self._notices.show_error,
        )

    def _on_content(
        self, document: OpenDocument, subject_ids: Sequence[str], content: bytes
    ) -> None:
        self._import_export.import_archive(content)
        self._import(document, subject_ids[1:])


def _noted(subject: SubjectView) -> NotedSubject:
    return NotedSubject(subject.id, subject.name, subject.class_noun)
