"""Responses of the backend's API as far as the plugin reads them, and limits of the API.

A test compares them with the backend's own models. Unknown fields of a response are ignored, so
that a newer backend of the same major version can add some.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .api_requests import FigureFit, ImageRef
from .message_translation import Message

API_MAJOR = "1"
TERMINAL_STATES = frozenset({"done", "failed", "cancelled"})
NAME_LENGTH = 80
CLASS_NOUN_LENGTH = 60
IDENTIFIER_LENGTH = 32
PROMPT_LENGTH = 2000
MOST_PICTURES = 64
MOST_RESULTS = 64


@dataclass(frozen=True)
class GeneratedImage:
    """Generated image in a blob, with its seed and prompt.

    `recipe` is the backend's own record: its `request`, sent again, gives the same image. PNG
    files carry it and `parameters`.
    """

    blob: str
    width: int
    height: int
    seed: int
    prompt: str
    label: str = ""
    recipe: dict[str, Any] | None = None
    parameters: str = ""


@dataclass(frozen=True)
class ClassNounGuess:
    """Suggested class noun with its probability, 0 to 1."""

    noun: str
    probability: float


@dataclass(frozen=True)
class ClassNounList:
    """Class nouns that a base model knows, and everyday nouns that lead to one of them."""

    class_nouns: tuple[str, ...] = ()
    everyday_nouns: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClassNounMatch:
    """Class noun that is learnt for a noun, or nothing; `alternatives` to choose instead.

    `meant`: the noun that a misspelt one was taken for.
    """

    class_noun: str = ""
    meant: str = ""
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """Phrases and words of a base model's captions; both empty if it knows any word."""

    phrases: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class LikenessPoint:
    """Likeness measured at one training step, 0 to 1; None was measured by version 0.1."""

    step: int
    likeness: float | None = None


@dataclass(frozen=True)
class PreparedImage:
    """Image as the base model learns it; `drawn_width` is the px of what it shows, unscaled."""

    blob: str
    width: int
    height: int
    drawn_width: int
    drawn_height: int


@dataclass(frozen=True)
class AnimationFrame:
    """Picture of a character in one view; without an action it is a key view."""

    blob: str
    width: int
    height: int
    view: str
    action: str = ""
    index: int = 0
    frame_ms: int = 0
    is_own: bool = False


@dataclass(frozen=True)
class Action:
    """Action that characters can do; `loops` if its last frame leads to the first."""

    name: str
    title: str
    views: tuple[str, ...]
    frames: int
    frame_ms: int
    loops: bool


@dataclass(frozen=True)
class ActionList:
    """All actions that characters can do, those that most games need first."""

    actions: tuple[Action, ...]


@dataclass(frozen=True)
class JobResult:
    """Result of a job; fields of the other kinds stay empty.

    `fit` and `origin_x`, `origin_y`, the corner of the key views and frames, are in px of the first
    drawing; `mannequins` are the key views' figures.
    """

    kind: str
    subject_id: str = ""
    training_steps: int = 0
    seconds: float = 0.0
    images: tuple[GeneratedImage, ...] = ()
    sheet: GeneratedImage | None = None
    columns: int = 0
    class_nouns: tuple[ClassNounGuess, ...] = ()
    identifiers: tuple[str, ...] = ()
    prepared: tuple[PreparedImage, ...] = ()
    key_views: tuple[AnimationFrame, ...] = ()
    frames: tuple[AnimationFrame, ...] = ()
    mannequins: tuple[AnimationFrame, ...] = ()
    fit: FigureFit | None = None
    origin_x: int = 0
    origin_y: int = 0
    warnings: tuple[Message, ...] = ()


@dataclass(frozen=True)
class Progress:
    """Progress of a job: phase, step, fraction 0 to 1, remaining seconds."""

    phase: str = "waiting"
    step: int = 0
    total: int = 0
    fraction: float = 0.0
    eta_s: float | None = None
    curve: tuple[LikenessPoint, ...] = ()
    previews: tuple[GeneratedImage, ...] = ()


@dataclass(frozen=True)
class JobError:
    """Error that ended a job: a stable code and a sentence for the artist."""

    code: str
    sentence: Message


@dataclass(frozen=True)
class JobView:
    """State of one job; an `abridged` one lacks the recipes of its images and its previews."""

    id: str
    kind: str
    title: str
    state: str
    progress: Progress
    created: float
    stalled: bool = False
    abridged: bool = False
    result: JobResult | None = None
    error: JobError | None = None
    started: float | None = None
    finished: float | None = None

    @property
    def duration_s(self) -> float | None:
        """Seconds from the start to the end, None before it."""
        if self.started is None or self.finished is None:
            return None
        return self.finished - self.started

    @property
    def is_over(self) -> bool:
        """True once the job is done, failed or cancelled."""
        return self.state in TERMINAL_STATES


@dataclass(frozen=True)
class JobList:
    """A page of jobs; `cursor` leads to the next one, empty at the end."""

    jobs: tuple[JobView, ...]
    cursor: str = ""


@dataclass(frozen=True)
class QueueView:
    """Ids of the waiting jobs, the next one first."""

    waiting: tuple[str, ...]


@dataclass(frozen=True)
class LearnReport:
    """Likeness that the subject's pictures alone give, and both together with what was learnt."""

    by_references: LikenessPoint | None = None
    by_both: LikenessPoint | None = None


@dataclass(frozen=True)
class SubjectView:
    """Subject; `palette` has its colours where its layers are pixel art.

    One that is not learnt yet is painted by its pictures.
    """

    id: str
    name: str
    class_noun: str
    identifier: str
    base_model: str
    created: float
    references: tuple[ImageRef, ...]
    owner: str = ""
    captions: tuple[str, ...] = ()
    is_learnt: bool = True
    training_steps: int = 0
    likeness: float | None = None
    palette: tuple[str, ...] = ()
    warnings: tuple[Message, ...] = ()
    report: LearnReport | None = None


@dataclass(frozen=True)
class SubjectList:
    """All subjects."""

    subjects: tuple[SubjectView, ...]


@dataclass(frozen=True)
class BaseModelView:
    """Base model; `resolution` is the side in px that it was trained for.

    One that cannot be read has no `family`, and a `resolution` of 0.
    Empty `samplers` are all: an older backend does not name them.
    `references_note` says why it does not take reference pictures, or what it needs for them.
    """

    id: str
    family: str | None
    resolution: int
    available: bool
    note: Message = Message("")
    samplers: tuple[str, ...] = ()
    tiles_seamlessly: bool = True
    takes_references: bool = False
    references_note: Message = Message("")


@dataclass(frozen=True)
class Capabilities:
    """Version of the backend, its base models, and the presets for learning.

    After `idle_minutes` without a request or a job it ends; 0 is never.
    """

    api: str
    version: str
    boot_id: str
    base_models: tuple[BaseModelView, ...]
    presets: tuple[str, ...]
    shortcomings: tuple[Message, ...] = ()
    idle_minutes: float = 0.0


@dataclass(frozen=True)
class ModelView:
    """Model that is installed or can be downloaded; `size_bytes` counts after the download."""

    id: str
    kind: str  # base, naming, matting
    state: str  # ready, missing, faulty
    size_bytes: int = 0
    licence: str = ""
    note: Message = Message("")


@dataclass(frozen=True)
class ModelList:
    """All models."""

    models: tuple[ModelView, ...]


@dataclass(frozen=True)
class Estimate:
    """Upper limit of the time and memory that learning takes; 0 bytes and None are unknown."""

    training_steps: int
    seconds: float | None = None
    seen_here: bool = False
    memory_bytes: int = 0
    free_bytes: int = 0


@dataclass(frozen=True)
class Event:
    """Change of a job or, without one, of the subjects."""

    type: str
    job: JobView | None = None


@dataclass(frozen=True)
class EventPage:
    """Events after a cursor; `gap`: some are lost, so everything must be read again."""

    events: tuple[Event, ...]
    cursor: str
    gap: bool = False
    retry_ms: int = 0


@dataclass(frozen=True)
class Ping:
    """Proof that the server knows the token."""

    proof: str = ""


@dataclass(frozen=True)
class Problem:
    """Error response (RFC 9457)."""

    title: str
    status: int
    code: str
    detail: Message = Message("")
