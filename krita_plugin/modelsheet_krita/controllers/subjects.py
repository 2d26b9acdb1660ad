"""Subjects of the backend: the docker's list, report windows, and the trash."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial

from ..backend import workflows
from ..backend.api_responses import SubjectView
from ..backend.connection_thread import BackendConnection
from ..document.subject_annotations import NotedSubject
from ..errors import BadInput
from ..i18n import tr
from ..image import Image, thumbnail
from ..mentions import handle, names_in
from ..qt import QtCore, QtGui
from ..ui.panel import Panel
from ..ui.report_window import ReportWindow
from ..ui.subject_list import SubjectRow
from .notices import Notices

UNDO_MS = 30_000


class Subjects:
    """Keeps the newest views of the subjects and shows them."""

    def __init__(self, panel: Panel, connection: BackendConnection, notices: Notices) -> None:
        self._panel, self._connection, self._notices = panel, connection, notices
        self.all: tuple[SubjectView, ...] = ()
        self.report: ReportWindow | None = None
        self._thumbnails: dict[str, QtGui.QPixmap] = {}
        self._hidden: set[str] = set()  # until they go to the trash
        self._discarded: set[str] = set()  # by the artist, who need not be told that they are gone
        panel.subjects.mentioned.connect(panel.prompt.mention)
        panel.subjects.written.connect(panel.prompt.continue_with)
        panel.subjects.discard_wanted.connect(notices.guard(self.discard_later))
        panel.subjects.report_wanted.connect(notices.guard(self._request_report))
        panel.prompt.textChanged.connect(self._show_pixel_art)
        connection.subscribe(panel, subjects=self._update_all)

    def handles(self) -> set[str]:
        """Return the @words that are taken."""
        return {handle(subject.name) for subject in self.all}

    def learnt_handles(self) -> set[str]:
        """Return those of subjects that are learnt; learning takes the place of the others."""
        return {handle(subject.name) for subject in self.all if subject.is_learnt}

    def mention(self, subject: SubjectView) -> str:
        """Return the word after @ for this subject, with its owner if two have one handle."""
        word = handle(subject.name)
        same = [one for one in self.all if handle(one.name) == word]
        return f"{subject.owner}/{word}" if subject.owner and len(same) > 1 else word

    def get(self, subject_id: str) -> SubjectView:
        """Return one subject. Raises BadInput when it is gone."""
        for subject in self.all:
            if subject.id == subject_id:
                return subject
        raise BadInput(tr("This subject is gone. Choose another one."))

    def missing(self, noted: Iterable[NotedSubject]) -> list[str]:
        """Return the @words of a document's subjects that the backend does not have."""
        known = {subject.id for subject in self.all} | self._discarded
        words = {handle(one.name) for one in noted if one.id not in known}
        return sorted(words - self.handles())

    def unknown(self, subject_ids: Iterable[str]) -> list[str]:
        """Return those of the ids that the backend does not have."""
        known = {subject.id for subject in self.all}
        return sorted(one for one in subject_ids if one not in known)

    def discard_later(self, subject_id: str) -> None:
        """Hide the subject; move it to the trash after 30 s in which the artist can keep it."""
        word = handle(self.get(subject_id).name)
        self._hidden.add(subject_id)
        self._show()
        self._panel.notice.say(
            tr("@{word} goes to the trash.", word=word),
            icon="edit-delete",
            action=tr("Keep It"),
            on_action=partial(self._keep, subject_id),
        )
        QtCore.QTimer.singleShot(UNDO_MS, partial(self._on_timeout, subject_id))

    def discard(self, subject_id: str) -> None:
        """Move the subject to the backend's trash."""
        self._discarded.add(subject_id)
        self._connection.request(
            lambda client: client.delete_subject(subject_id),
            lambda _: None,
            self._notices.show_request_error,
        )

    def note_replaced(self, subject_id: str) -> None:
        """Note that a subject is gone because another one took its place."""
        self._discarded.add(subject_id)

    def _keep(self, subject_id: str) -> None:
        self._hidden.discard(subject_id)
        self._show()

    def _on_timeout(self, subject_id: str) -> None:
        if subject_id in self._hidden:
            self.discard(subject_id)

    def _update_all(self, subjects: tuple[SubjectView, ...]) -> None:
        self.all = subjects
        self._panel.prompt.show_handles(sorted(set(map(self.mention, subjects))))
        self._show()
        self._show_pixel_art()
        for subject in subjects:
            if subject.references and subject.id not in self._thumbnails:
                self._connection.request(
                    partial(workflows.fetch_references, references=subject.references[:1]),
                    partial(self._on_reference, subject.id),
                    self._notices.show_request_error,
                )

    @staticmethod
    def _words_for(subject: SubjectView) -> set[str]:
        word = handle(subject.name)
        return {word, f"{subject.owner}/{word}"}

    def _show_pixel_art(self, _: str = "") -> None:
        words = set(names_in(self._panel.prompt.text()))
        found = [one for one in self.all if words & self._words_for(one)]
        is_pixel_art = bool(found) and all(one.palette for one in found)
        self._panel.box.advanced.follow_subject(is_pixel_art)

    def _on_reference(self, subject_id: str, images: list[Image]) -> None:
        side = self._panel.thumbnail_side(self._panel.subjects.items)
        self._thumbnails[subject_id] = thumbnail(images[0], side)
        self._show()

    def _show(self) -> None:
        rows = [self._row(one) for one in self.all if one.id not in self._hidden]
        self._panel.subjects.show_rows(rows)

    def _row(self, subject: SubjectView) -> SubjectRow:
        word = self.mention(subject)
        facts = [subject.base_model, _format_day(subject.created)]
        if not subject.is_learnt:
            facts.insert(0, tr("not learnt yet"))
        elif subject.likeness is not None:
            facts.insert(0, tr("likeness {value}", value=f"{subject.likeness:.0%}"))
        click = tr("Click to put @{word} into the prompt; right-click for more.", word=word)
        return SubjectRow(
            subject_id=subject.id,
            handle=word,
            text=f"{subject.name}\n@{word} · {subject.class_noun}\n{' · '.join(facts)}",
            tooltip="\n".join([subject.name, *facts, *subject.warnings, click]),
            thumbnail=self._thumbnails.get(subject.id),
            is_learnt=subject.is_learnt,
        )

    def _request_report(self, subject_id: str) -> None:
        subject = self.get(subject_id)
        self._connection.request(
            partial(workflows.fetch_references, references=subject.references),
            partial(self._show_report, subject),
            self._notices.show_request_error,
        )

    def _show_report(self, subject: SubjectView, images: list[Image]) -> None:
        if self.report is not None:
            self.report.deleteLater()
        self.report = ReportWindow(subject, images, self._panel.window())
        self.report.show()


def _format_day(created: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(created))
