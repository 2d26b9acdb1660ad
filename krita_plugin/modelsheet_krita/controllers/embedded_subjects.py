"""Subjects that travel in a document: put into it, found in it, brought in from it."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..backend.api_responses import SubjectView
from ..backend.lora_header import in_words
from ..errors import PluginError
from ..i18n import tr
from ..pace import Pace
from . import subject_names
from .context import Desk
from .import_export import Exchange
from .subjects import Shelf


class Carrying:
    """Looks at the document in front, which may know subjects that the backend does not."""

    def __init__(self, desk: Desk, shelf: Shelf, exchange: Exchange) -> None:
        self._desk, self._shelf, self._exchange = desk, shelf, exchange
        self._pace: Pace | None = None
        self._said: tuple[list[str], ...] = ([], [], [])
        self._successors: dict[str, str] = {}  # of subjects that were learnt again
        subjects = desk.panel.list
        subjects.is_carried = self._is_carried
        subjects.carry_wanted.connect(lambda key: desk.attempt(partial(self._turn, key)))

    def _is_carried(self, subject_id: str) -> bool:
        try:
            return subject_id in self._desk.current_document().carried()
        except PluginError:
            return False

    def _turn(self, subject_id: str) -> None:
        subject, document = self._shelf.get(subject_id), self._desk.current_document()
        if subject_id not in document.carried():
            self._desk.link.ask(
                lambda client: client.parcel(subject_id),
                partial(self._ask, subject, document),
                self._desk.on_trouble,
            )
            return
        document.carry_no_longer(subject_id)
        word = subject_names.handle(subject.name)
        said = tr("“{document}” carries @{word} no longer.", document=document.name, word=word)
        self._desk.panel.notice.say(said, icon="dialog-ok")

    def _ask(self, subject: SubjectView, document: Any, content: bytes) -> None:
        """Say what it costs first."""
        self._desk.panel.notice.say(
            tr(
                "@{word} makes “{document}” larger by {size}, and whoever gets the file gets the "
                "subject and the pictures it was learnt from.",
                word=subject_names.handle(subject.name),
                document=document.name,
                size=in_words(len(content)),
            ),
            icon="folder",
            action=tr("Carry It"),
            do=partial(self._carry, subject, document, content),
        )

    def _carry(self, subject: SubjectView, document: Any, content: bytes) -> None:
        former = [old for old, new in self._outdated(document).items() if new.id == subject.id]
        work = document.carry(subject, content, former)
        self._pace = Pace(work, lambda _: self._on_carried(subject, document), self._on_error)

    def _on_carried(self, subject: SubjectView, document: Any) -> None:
        word = subject_names.handle(subject.name)
        said = tr(
            "“{document}” carries @{word} once it is saved as .kra.",
            document=document.name,
            word=word,
        )
        self._desk.panel.notice.say(said, icon="dialog-ok")

    def follow(self, former: str, successor: str) -> None:
        """A subject was learnt again: documents that carry it are to carry the new one."""
        self._successors[former] = successor

    def _outdated(self, document: Any) -> dict[str, SubjectView]:
        """Those that the document carries and the backend has no more, each with what is there in
        its place: what it was learnt again as, or what has its name now."""
        here = {subject.id: subject for subject in self._shelf.subjects}
        named = {subject_names.handle(subject.name): subject for subject in self._shelf.subjects}
        words = {one["id"]: subject_names.handle(one["name"]) for one in document.subjects()}
        found = {}
        for old in self._shelf.unknown(document.carried()):
            new = here.get(self._successors.get(old, "")) or named.get(words.get(old, ""))
            if new is not None:
                found[old] = new
        return found

    def look(self) -> None:
        """Say which subjects the document in front misses here, and offer those that it brings."""
        if self._desk.link.state.phase != "connected":
            return
        try:
            document = self._desk.current_document()
        except PluginError:
            return
        noted, outdated = document.subjects(), self._outdated(document)
        unknown = self._shelf.unknown(document.carried())
        brought = [one for one in unknown if one not in outdated]
        missing = self._shelf.missing([one for one in noted if one["id"] not in unknown])
        found = (brought, missing, sorted(outdated))
        if found != self._said:
            if brought:
                self._offer(document, brought, noted)
            elif outdated:
                self._offer_newer(document, next(iter(outdated.values())))
            elif missing:
                self._tell(missing)
        self._said = found

    def _offer_newer(self, document: Any, subject: SubjectView) -> None:
        self._desk.panel.notice.say(
            tr(
                "“{document}” carries another @{word} than the one that is here now.",
                document=document.name,
                word=subject_names.handle(subject.name),
            ),
            icon="folder",
            action=tr("Carry This One Instead"),
            do=partial(self._exchange_for, subject, document),
        )

    def _exchange_for(self, subject: SubjectView, document: Any) -> None:
        self._desk.link.ask(
            lambda client: client.parcel(subject.id),
            partial(self._carry, subject, document),
            self._desk.on_trouble,
        )

    def _offer(self, document: Any, brought: list[str], noted: list[dict[str, str]]) -> None:
        names = {one["id"]: f"@{subject_names.handle(one['name'])}" for one in noted}
        words = ", ".join(names.get(one, tr("a subject")) for one in brought)
        self._desk.panel.notice.say(
            tr(
                "This document brings {words} with it, which this backend does not have yet.",
                words=words,
            ),
            icon="folder",
            action=tr("Bring It In"),
            do=partial(self._bring_in, document, brought),
        )

    def _tell(self, missing: list[str]) -> None:
        words = ", ".join(f"@{word}" for word in missing)
        said = tr(
            "This document paints with {words}, which this backend does not have. Connect to "
            "the one that learnt it, or learn it again.",
            words=words,
        )
        self._desk.panel.notice.say(said)

    def _bring_in(self, document: Any, brought: list[str]) -> None:
        """One after the other: the next when the last was read."""
        if not brought:
            return
        work = document.read_carried(brought[0])
        self._pace = Pace(
            work, lambda content: self._on_read(document, brought, content), self._on_error
        )

    def _on_read(self, document: Any, brought: list[str], content: bytes) -> None:
        self._exchange.unpack(content)
        self._bring_in(document, brought[1:])

    def _on_error(self, error: Exception) -> None:
        def again() -> None:
            raise error

        self._desk.attempt(again)
