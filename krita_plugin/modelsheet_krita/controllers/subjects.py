"""The subjects: their rows and pictures, and what the artist does with one."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial

from ..backend import calls
from ..backend.api_responses import SubjectView
from ..errors import BadInput
from ..i18n import tr
from ..image import Picture, thumbnail
from ..qt import QtCore, QtGui
from ..ui.report_window import ReportView
from ..ui.subject_list import SubjectRow
from . import subject_names
from .context import Desk

SECOND_THOUGHT_MS = 30_000


class Shelf:
    """Keeps what the backend told of its subjects."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.subjects: tuple[SubjectView, ...] = ()
        self._pictures: dict[str, QtGui.QPixmap] = {}
        self._leaving: set[str] = set()  # on their way to the trash
        self._discarded: set[str] = set()  # by the artist, who need not be told that they are gone
        self._view: ReportView | None = None
        panel = desk.panel.list
        panel.mentioned.connect(desk.panel.prompt.mention)
        panel.written.connect(desk.panel.prompt.go_on_with)
        panel.discard_wanted.connect(lambda key: desk.attempt(partial(self.discard_soon, key)))
        panel.report_wanted.connect(lambda key: desk.attempt(partial(self._report, key)))

    def handles(self) -> set[str]:
        """The @words that are taken."""
        return {subject_names.handle(subject.name) for subject in self.subjects}

    def get(self, subject_id: str) -> SubjectView:
        """Raises BadInput: it is gone."""
        for subject in self.subjects:
            if subject.id == subject_id:
                return subject
        raise BadInput(tr("This subject is gone. Choose another one."))

    def take_all(self, subjects: tuple[SubjectView, ...]) -> None:
        self.subjects = subjects
        self._desk.panel.prompt.show_handles(sorted(self.handles()))
        self._show()
        for subject in subjects:
            if subject.references and subject.id not in self._pictures:
                self._desk.link.ask(
                    partial(calls.fetch_references, references=subject.references[:1]),
                    partial(self._on_reference, subject.id),
                    self._desk.on_trouble,
                )

    def _on_reference(self, subject_id: str, pictures: list[Picture]) -> None:
        panel = self._desk.panel
        side = panel.thumbnail_side(panel.list.items)
        self._pictures[subject_id] = thumbnail(pictures[0], side)
        self._show()

    def _show(self) -> None:
        rows = [self._row(one) for one in self.subjects if one.id not in self._leaving]
        self._desk.panel.list.show_rows(rows)

    def _row(self, subject: SubjectView) -> SubjectRow:
        word = subject_names.handle(subject.name)
        facts = [subject.base_model, _day(subject.created)]
        if subject.likeness is not None:
            facts.insert(0, tr("likeness {value}", value=f"{subject.likeness:.0%}"))
        click = tr("Click to put @{word} into the prompt; right-click for more.", word=word)
        return SubjectRow(
            subject_id=subject.id,
            handle=word,
            text=f"{subject.name}\n@{word} · {subject.class_noun}\n{' · '.join(facts)}",
            tooltip="\n".join([subject.name, *facts, *subject.warnings, click]),
            picture=self._pictures.get(subject.id),
        )

    def discard_soon(self, subject_id: str) -> None:
        """Move it to the trash after a while in which the artist may think better of it."""
        word = subject_names.handle(self.get(subject_id).name)
        self._leaving.add(subject_id)
        self._show()
        self._desk.panel.notice.say(
            tr("@{word} goes to the trash.", word=word),
            icon="edit-delete",
            action=tr("Keep It"),
            do=partial(self._keep, subject_id),
        )
        QtCore.QTimer.singleShot(SECOND_THOUGHT_MS, partial(self._on_time_up, subject_id))

    def _keep(self, subject_id: str) -> None:
        self._leaving.discard(subject_id)
        self._show()

    def _on_time_up(self, subject_id: str) -> None:
        if subject_id in self._leaving:
            self.discard(subject_id)

    def missing(self, noted: list[dict[str, str]]) -> list[str]:
        """The @words of those in a document's note that the backend does not have."""
        known = {subject.id for subject in self.subjects} | self._discarded
        words = {subject_names.handle(one["name"]) for one in noted if one["id"] not in known}
        return sorted(words - self.handles())

    def unknown(self, subject_ids: Iterable[str]) -> list[str]:
        """Those of them that the backend does not have."""
        known = {subject.id for subject in self.subjects}
        return sorted(one for one in subject_ids if one not in known)

    def discard(self, subject_id: str) -> None:
        """Move it to the backend's trash."""
        self._discarded.add(subject_id)
        self._desk.link.ask(
            lambda client: client.delete_subject(subject_id),
            lambda done: None,
            self._desk.on_trouble,
        )

    def _report(self, subject_id: str) -> None:
        subject = self.get(subject_id)
        self._desk.link.ask(
            partial(calls.fetch_references, references=subject.references),
            partial(self._show_report, subject),
            self._desk.on_trouble,
        )

    def _show_report(self, subject: SubjectView, pictures: list[Picture]) -> None:
        if self._view is not None:
            self._view.deleteLater()
        self._view = ReportView(subject, pictures, self._desk.panel.window())
        self._view.show()


def _day(created: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(created))
