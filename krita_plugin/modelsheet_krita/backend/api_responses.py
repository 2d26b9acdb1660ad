"""What the plugin understands of the backend's answers, and what both hold to.

A test holds this to the backend's own models. Unknown fields of an answer are left alone, so that a
newer backend of the same major version can say more.
"""

from __future__ import annotations

from dataclasses import dataclass

from .api_requests import ImageRef
from .message_translation import Said

API_MAJOR = "1"
TERMINAL_STATES = frozenset({"done", "failed", "cancelled"})
NAME_LENGTH = 80
CLASS_NOUN_LENGTH = 60
IDENTIFIER_LENGTH = 32
PROMPT_LENGTH = 2000
LAYER_NAME_LENGTH = 300
MOST_PICTURES = 64
MOST_RESULTS = 64


@dataclass(frozen=True)
class GeneratedImage:
    """`recipe` is the backend's own, which may know more than ours: its `request`, sent again,
    paints the picture again, and a PNG carries it and `parameters`.
    """

    blob: str
    width: int
    height: int
    seed: int
    prompt: str
    label: str = ""
    recipe: dict | None = None
    parameters: str = ""


@dataclass(frozen=True)
class ClassNounGuess:
    noun: str
    probability: float


@dataclass(frozen=True)
class ClassNounList:
    class_nouns: tuple[str, ...] = ()


@dataclass(frozen=True)
class LikenessPoint:
    """One probe while learning; `subject_fidelity` is a cosine."""

    step: int
    subject_fidelity: float


@dataclass(frozen=True)
class JobResult:
    """The three kinds of result in one; what a kind lacks stays empty."""

    kind: str
    subject_id: str = ""
    training_steps: int = 0
    seconds: float = 0.0
    images: tuple[GeneratedImage, ...] = ()
    sheet: GeneratedImage | None = None
    columns: int = 0
    class_nouns: tuple[ClassNounGuess, ...] = ()
    identifiers: tuple[str, ...] = ()
    warnings: tuple[Said, ...] = ()


@dataclass(frozen=True)
class Progress:
    phase: str = "waiting"
    step: int = 0
    total: int = 0
    fraction: float = 0.0
    eta_s: float | None = None
    curve: tuple[LikenessPoint, ...] = ()
    previews: tuple[GeneratedImage, ...] = ()


@dataclass(frozen=True)
class JobError:
    code: str
    sentence: Said


@dataclass(frozen=True)
class JobView:
    id: str
    kind: str
    title: str
    state: str
    progress: Progress
    created: float
    stalled: bool = False
    result: JobResult | None = None
    error: JobError | None = None

    @property
    def is_over(self) -> bool:
        return self.state in TERMINAL_STATES


@dataclass(frozen=True)
class JobList:
    jobs: tuple[JobView, ...]


@dataclass(frozen=True)
class QueueView:
    """The ids of the jobs that wait, the next one first."""

    waiting: tuple[str, ...]


@dataclass(frozen=True)
class SubjectView:
    id: str
    name: str
    class_noun: str
    identifier: str
    base_model: str
    created: float
    references: tuple[ImageRef, ...]
    training_steps: int = 0
    likeness: float | None = None
    warnings: tuple[Said, ...] = ()


@dataclass(frozen=True)
class SubjectList:
    subjects: tuple[SubjectView, ...]


@dataclass(frozen=True)
class BaseModelView:
    id: str
    family: str
    resolution: int
    available: bool
    note: Said = Said("")


@dataclass(frozen=True)
class Capabilities:
    api: str
    version: str
    boot_id: str
    base_models: tuple[BaseModelView, ...]
    presets: tuple[str, ...]
    shortcomings: tuple[Said, ...] = ()


@dataclass(frozen=True)
class ModelView:
    """A model that is there or could be; `size_bytes` of a missing one is what it will have."""

    id: str
    kind: str  # base, naming, matting
    state: str  # ready, missing, faulty
    size_bytes: int = 0
    licence: str = ""
    note: Said = Said("")


@dataclass(frozen=True)
class ModelList:
    models: tuple[ModelView, ...]


@dataclass(frozen=True)
class Estimate:
    """What learning takes at most; 0 bytes and None are not known."""

    training_steps: int
    seconds: float | None = None
    seen_here: bool = False
    memory_bytes: int = 0
    free_bytes: int = 0


@dataclass(frozen=True)
class Event:
    type: str
    job: JobView | None = None


@dataclass(frozen=True)
class EventPage:
    events: tuple[Event, ...]
    cursor: str
    gap: bool = False
    retry_ms: int = 0


@dataclass(frozen=True)
class Ping:
    proof: str = ""


@dataclass(frozen=True)
class Problem:
    title: str
    status: int
    code: str
    detail: Said = Said("")
