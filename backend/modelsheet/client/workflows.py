"""Learn a subject or generate images through the API: upload, run the job, fetch the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from PIL import Image

from modelsheet.api.animate import AnimateRequest, AnimateResult
from modelsheet.api.describe_images import (
    ClassNounGuess,
    ClassNounMatch,
    DescribeRequest,
    DescribeResult,
)
from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GenerateResult
from modelsheet.api.jobs import JobRequest, JobResult
from modelsheet.api.learn import LearnRequest, LearnResult
from modelsheet.api.subjects import SubjectView
from modelsheet.api.types import ImageRef
from modelsheet.client.client import BackendClient
from modelsheet.client.references import ReferenceImage

# Runs a job under a title to its end and returns its result; raises the job's own error.
RunJob = Callable[[BackendClient, JobRequest, str], JobResult]


def upload_references(
    client: BackendClient, references: Sequence[ReferenceImage]
) -> list[ImageRef]:
    """Upload the images to learn from, with their names."""
    return [client.upload(reference.image, reference.name) for reference in references]


def guess_class_nouns(
    client: BackendClient, images: list[ImageRef], base_model: str, run_job: RunJob
) -> list[ClassNounGuess]:
    """Guess the class noun of uploaded images, at most one. Raises the job's error."""
    request = DescribeRequest(base_model=base_model, images=images)
    result = run_job(client, request, "Looking at the pictures")
    assert isinstance(result, DescribeResult)
    return result.class_nouns


def match_class_noun(client: BackendClient, noun: str, base_model: str) -> ClassNounMatch:
    """Return what a base model learns a noun as. Raises NotFound: no such base model."""
    query = urlencode({"base_model": base_model, "noun": noun})
    return client.call("GET", f"/v1/class-nouns/match?{query}", ClassNounMatch)


def learn(client: BackendClient, request: LearnRequest, run_job: RunJob) -> SubjectView:
    """Learn a subject and return it. Raises the job's own error."""
    result = run_job(client, request, f"Learning {request.name}")
    assert isinstance(result, LearnResult)
    return client.subject(result.subject_id)


def generate(client: BackendClient, request: GenerateRequest, run_job: RunJob) -> GenerateResult:
    """Generate images; `fetch_images` downloads them. Raises the job's own error."""
    result = run_job(client, request, f"Painting “{request.prompt}”")
    assert isinstance(result, GenerateResult)
    return result


def animate(client: BackendClient, request: AnimateRequest, run_job: RunJob) -> AnimateResult:
    """Animate a character. Raises the job's own error."""
    actions = [*request.actions, *(own.name for own in request.own_actions)]
    title = f"Animating {', '.join([request.subject or 'the drawing', *actions])}"
    result = run_job(client, request, title)
    assert isinstance(result, AnimateResult)
    return result


def fetch_images(client: BackendClient, result: GenerateResult) -> list[Image.Image]:
    """Download the images of a result, in its order."""
    return [client.fetch_image(generated) for generated in result.images]
