"""Requests to animate are refused before they are queued, in a sentence that says what to do."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from modelsheet.api.animate import AnimateRequest, Drawing, FigureFit
from modelsheet.api.models import BaseModelView
from modelsheet.api.types import ImageRef
from modelsheet.errors import InvalidImages, InvalidRequest, NotFound
from modelsheet.service.auth.caller import OPERATOR
from modelsheet.service.queue.admission import Admission
from modelsheet.service.storage.blobs import BlobStore
from modelsheet.subjects.record import write_record
from modelsheet.subjects.store import SubjectStore
from tests.service.subject import stage_subject

PIXELS = bytes(4 * 4 * 4)
SHA256 = hashlib.sha256(PIXELS).hexdigest()
DRAWING = Drawing(image=ImageRef(blob=SHA256, width=4, height=4))
MODELS = [
    BaseModelView(id="sprite32", family="sprite32", resolution=32, available=True),
    BaseModelView(id="sd15", family="sd15", resolution=512, available=True),
]


@pytest.fixture
def subjects(tmp_path: Path) -> SubjectStore:
    store = SubjectStore(tmp_path)
    for subject_id, name, base_model in (("aa", "Imp", "sprite32"), ("bb", "Knight", "sd15")):
        staging = store.stage(subject_id)
        record = stage_subject(staging, subject_id, name)
        write_record(staging, record.model_copy(update={"base_model": base_model}))
        store.publish(staging, subject_id)
    return store


@pytest.fixture
def admission(tmp_path: Path, subjects: SubjectStore) -> Admission:
    blobs = BlobStore(tmp_path / "blobs")
    blobs.put_stream(SHA256, io.BytesIO(PIXELS))
    return Admission(blobs, subjects, lambda: MODELS)


def test_what_can_be_animated_passes(admission: Admission) -> None:
    admission.check(AnimateRequest(drawings=[DRAWING], actions=["walk"]), OPERATOR)
    admission.check(AnimateRequest(subject="@imp"), OPERATOR)


def test_a_drawing_that_was_not_sent_is_missed(admission: Admission) -> None:
    missing = Drawing(image=ImageRef(blob="0" * 64, width=4, height=4))

    with pytest.raises(InvalidImages, match="Picture 2 is not on the service"):
        admission.check(AnimateRequest(drawings=[DRAWING, missing]), OPERATOR)


def test_unknown_actions_bodies_and_subjects_are_named(admission: Admission) -> None:
    fit = FigureFit(body="cat", top=1, neck=2, feet=3, centre=2, head_width=1, body_width=1)

    for request, sentence in (
        (AnimateRequest(drawings=[DRAWING], actions=["moonwalk"]), "no action “moonwalk”. Known"),
        (AnimateRequest(drawings=[DRAWING], fit=fit), "no body “cat”. Known"),
        (AnimateRequest(subject="@nobody"), "no subject called 'nobody'"),
    ):
        with pytest.raises(NotFound, match=sentence):
            admission.check(request, OPERATOR)


def test_a_subject_that_was_learnt_as_a_painting_is_refused(admission: Admission) -> None:
    with pytest.raises(InvalidRequest, match="@knight was learnt as a painting, on sd15"):
        admission.check(AnimateRequest(subject="@knight"), OPERATOR)


def test_neither_drawing_nor_subject_is_no_request() -> None:
    with pytest.raises(ValueError, match="give a drawing of the character, or a subject"):
        AnimateRequest(actions=["walk"])
