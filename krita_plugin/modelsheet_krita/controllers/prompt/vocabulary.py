"""Give the prompt vocabulary and size of the base model that its subjects were learnt on."""

from __future__ import annotations

import re
from functools import partial

from ...backend.api_responses import BaseModelView, SubjectView, Vocabulary
from ...backend.connection_thread import BackendConnection, ConnectionState
from ...mentions import handle, names_in
from ...ui.panel import Panel

DEFAULT_BASE_MODEL = "sprite32"  # of a prompt that mentions no subject
WORD = re.compile(r"[^\W_]+")


class PromptVocabulary:
    """Fetches each base model's vocabulary once a connection; adds the words of the subjects.

    Also shows how large the base model paints, and offers what it can do.
    """

    def __init__(self, panel: Panel, connection: BackendConnection) -> None:
        self._prompt, self._settings = panel.prompt, panel.box.advanced
        self._connection = connection
        self._subjects: tuple[SubjectView, ...] = ()
        self._vocabularies: dict[str, Vocabulary | None] = {}  # None: asked for
        self._shown: object = None
        panel.prompt.textChanged.connect(self._update)
        connection.subscribe(panel, state=self._on_state, subjects=self._on_subjects)

    def _on_state(self, state: ConnectionState) -> None:
        if state.phase != "connected":
            return
        self._vocabularies.clear()  # it may be another backend
        self._update()

    def _on_subjects(self, subjects: tuple[SubjectView, ...]) -> None:
        self._subjects = subjects
        self._update()

    def _update(self) -> None:
        """Show the vocabulary of the prompt's base model, or ask for it."""
        mentioned = self._mentioned()
        base_model = mentioned[0].base_model if mentioned else DEFAULT_BASE_MODEL
        self._settings.follow_model(self._view_of(base_model))
        if base_model not in self._vocabularies:
            self._request(base_model)
        vocabulary = self._vocabularies.get(base_model) or Vocabulary()
        shown = (vocabulary, [subject.id for subject in mentioned])
        if shown == self._shown:
            return
        self._shown = shown
        words = set(vocabulary.words)
        if words:
            words.update(word for subject in mentioned for word in _words_of(subject))
        self._prompt.show_vocabulary(vocabulary.phrases, words)

    def _view_of(self, base_model: str) -> BaseModelView | None:
        capabilities = self._connection.state.capabilities
        models = capabilities.base_models if capabilities else ()
        return next((model for model in models if model.id == base_model), None)

    def _request(self, base_model: str) -> None:
        if self._connection.state.phase != "connected":
            return
        self._vocabularies[base_model] = None
        self._connection.request(
            lambda client: client.vocabulary(base_model),
            partial(self._on_vocabulary, base_model),
            lambda error: None,  # then no word is marked
        )

    def _on_vocabulary(self, base_model: str, vocabulary: Vocabulary) -> None:
        self._vocabularies[base_model] = vocabulary
        self._update()

    def _mentioned(self) -> list[SubjectView]:
        """List the subjects that the prompt names, by @handle or by identifier."""
        text = self._prompt.text().casefold()
        words = set(WORD.findall(text))
        handles = {name.rpartition("/")[2] for name in names_in(text)}
        return [
            subject
            for subject in self._subjects
            if handle(subject.name) in handles or subject.identifier in words
        ]


def _words_of(subject: SubjectView) -> list[str]:
    """List the words that the subject's training taught the base model."""
    taught = " ".join((subject.identifier, subject.class_noun, *subject.captions))
    return WORD.findall(taught.lower())
