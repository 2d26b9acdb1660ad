"""Wire one docker: create its controllers and give each what it uses. Contains no Krita."""

from __future__ import annotations

from typing import Callable

from ..backend.connection_thread import BackendConnection
from ..document.document import OpenDocument
from ..results.document_ids import DocumentIds
from ..ui.panel import Panel
from .embedded_subjects import EmbeddedSubjects
from .explore import ExploreController
from .generate import GenerateController
from .import_export import ImportExport
from .jobs import Jobs
from .learn import LearnController
from .models import Models
from .notices import Notices
from .presets import PresetController
from .prompt.vocabulary import PromptVocabulary
from .result_preview import ResultPreview
from .results import Results
from .saved_state import SavedState
from .subject_places import SubjectPlacesController
from .subjects import Subjects


class Controller:
    """The controllers of one docker.

    The order matters: news of the backend reaches them in the order of their creation.
    `current_document` returns the document in front or raises BadInput.
    """

    def __init__(
        self,
        panel: Panel,
        connection: BackendConnection,
        *,
        saved_state: SavedState,
        document_ids: DocumentIds,
        current_document: Callable[[], OpenDocument],
    ) -> None:
        self.panel, self.connection = panel, connection
        self.notices = notices = Notices(panel, connection)
        self.jobs = jobs = Jobs(panel, connection, notices)
        self.subjects = subjects = Subjects(panel, connection, notices)
        self.vocabulary = PromptVocabulary(panel, connection)
        self.import_export = ImportExport(panel, connection, notices, subjects)
        self.embedded_subjects = EmbeddedSubjects(
            panel, connection, notices, subjects, self.import_export, current_document
        )
        self.results = Results(
            panel, connection, notices, saved_state, document_ids, current_document
        )
        self.places = SubjectPlacesController(panel, notices, current_document)
        self.generate = GenerateController(
            panel,
            connection,
            notices,
            jobs,
            self.results,
            self.embedded_subjects,
            self.places,
            saved_state,
            current_document,
        )
        self.learn = LearnController(
            panel,
            connection,
            notices,
            jobs,
            subjects,
            self.embedded_subjects,
            current_document,
            self.generate.paint,
        )
        self.preview = ResultPreview(panel, self.results, saved_state, current_document)
        self.explore = ExploreController(panel, notices, jobs, self.results, self.generate)
        self.presets = PresetController(panel, saved_state)
        self.models = Models(panel, connection, notices, jobs)
        connection.refresh()

    def check_document(self) -> None:
        """Show what belongs to the document in front, which may be another one now."""
        self.notices.attempt(self.results.check_document)
        self.notices.attempt(self.embedded_subjects.check_document)
