"""What the rooms for learning and generating may ask of the controller that uses them."""

from __future__ import annotations

from typing import Any, Callable, Protocol

from ..backend.api_responses import JobView, SubjectView
from ..backend.connection import BackendLink
from ..errors import BackendError
from ..ui.panel import Panel
from ..ui.widgets import IconSource
from .saved_state import Memory


class Desk(Protocol):
    """The controller, seen from below."""

    panel: Panel
    link: BackendLink
    preferences: Memory
    icon: IconSource
    current_document: Callable[[], Any]

    def attempt(self, action: Callable[[], None]) -> None: ...

    def subjects(self) -> tuple[SubjectView, ...]: ...

    def resolution(self) -> int:
        """The side in px that the base model paints best."""
        ...

    def note_subjects(self, document: Any, prompt: str) -> None:
        """Let the document remember the subjects that the prompt names."""
        ...

    def replace_when_done(self, job_id: str, subject_id: str) -> None:
        """Move the subject to the trash once the job has learnt it again."""
        ...

    def on_job(self, job: JobView) -> None: ...

    def on_trouble(self, error: BackendError) -> None: ...
