"""One generated image with its pixels, and the document that it was generated for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..backend.api_responses import GeneratedImage, JobView
from ..document.document import OpenDocument
from ..i18n import tr
from ..image import Image, Placement
from ..prompt_regions import EMPTY_SCENE


@dataclass(frozen=True)
class Origin:
    """Document for which a job's images were generated, by its id, and their placement in it."""

    document_id: str
    placement: Placement


@dataclass(frozen=True)
class Target:
    """Document in front when Generate was clicked, and the placement of results in it."""

    document: OpenDocument
    placement: Placement


@dataclass(frozen=True)
class Result:
    """One generated image with its pixels; `origin` is None if no document is known for it."""

    job: JobView
    generated: GeneratedImage
    image: Image
    origin: Origin | None

    @property
    def prompt(self) -> str:
        """Prompt on one line."""
        return self.job.title

    @property
    def name(self) -> str:
        """Name under which the saved state keeps what the artist did with it."""
        return name_of(self.job.id, self.generated)

    @property
    def description(self) -> str:
        """Seed, size and label for tooltips."""
        size = f"{self.image.width} × {self.image.height}"
        text = tr("seed {seed} · {size}", seed=self.generated.seed, size=size)
        return f"{text} · {self.generated.label}" if self.generated.label else text

    def matches(self, words: Sequence[str]) -> bool:
        """Return True if prompt, seed or label contain all the words, which are case-folded."""
        text = f"{self.prompt} {self.generated.seed} {self.generated.label}".casefold()
        return all(word in text for word in words)


def name_of(job_id: str, generated: GeneratedImage) -> str:
    """Return the name under which the saved state keeps what the artist did with a result."""
    return f"{job_id[:8]}-{generated.blob[:8]}"


def prompt_of(generated: GeneratedImage) -> str:
    """Return the prompt as it can be sent again: with regions, a line for the whole and for each.

    Empty when it was not recorded.
    """
    request = generated.recipe["request"] if generated.recipe else {}
    whole, regions = str(request.get("prompt", "")), request.get("regions") or []
    if not regions:
        return whole
    own = [str(region["prompt"]).removesuffix(f", {whole}") for region in regions]
    return "\n".join(([] if whole == EMPTY_SCENE else [whole]) + own)
