"""Subjects that are not learnt yet: whose they are, and what learning makes of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.learn import LearnRequest
from modelsheet.api.types import ImageRef
from modelsheet.errors import Conflict, InvalidClassNoun, InvalidImages, InvalidRequest, NotFound
from modelsheet.imaging.rgba import read_image
from modelsheet.service.auth.caller import Caller
from modelsheet.service.service import Service
from tests.service.executors.inline_executor import InlineExecutor
from tests.service.toy_runner import OTHER_MODEL, REFERENCE_MODEL, make_runner

ANN, BEN = Caller("ann"), Caller("ben")
NOTE = "other takes no reference pictures."
PIXELS = bytes([20, 40, 60, 255]) * 6 + bytes(4) * 6  # 4 x 3 of BGRA, half of it clear


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service whose first base model takes references."""
    models = [
        REFERENCE_MODEL.model_copy(update={"id": "sprite32"}),
        OTHER_MODEL.model_copy(update={"references_note": NOTE}),
    ]
    service = Service(
        tmp_path,
        lambda on_report: InlineExecutor(tmp_path, make_runner(tmp_path), on_report),
        base_models=lambda: models,
    )
    service.start()
    yield service
    service.stop()


def learning(service: Service, name: str = "Hero", noun: str = "knight") -> LearnRequest:
    image = ImageRef(blob=service.blobs.write(PIXELS), width=4, height=3, name="from behind")
    return LearnRequest(name=name, class_noun=noun, images=[image])


def end_of(service: Service, caller: Caller, job_id: str) -> str:
    end = time.monotonic() + 60
    while (state := service.jobs.get(caller, job_id).state) in ("queued", "running"):
        assert time.monotonic() < end, state
        time.sleep(0.01)
    return state


def test_it_is_its_artists_own_and_stands_in_the_trash_with_its_pictures(
    service: Service, tmp_path: Path
) -> None:
    subject = service.add_unlearnt(ANN, learning(service))

    assert (subject.is_learnt, subject.owner, subject.captions) == (False, "ann", ["from behind"])
    assert service.subjects.all(BEN) == []
    with pytest.raises(NotFound, match="@hero is not known"):
        service.jobs.submit(BEN, GenerateRequest(prompt="@hero"))
    with pytest.raises(NotFound):
        service.subjects.trash(BEN, subject.id)
    painted = service.jobs.submit(ANN, GenerateRequest(prompt="@hero"))
    assert end_of(service, ANN, painted.id) == "done"
    assert service.subjects.rename(ANN, subject.id, "Gawain").name == "Gawain"
    service.subjects.trash(ANN, subject.id)
    assert service.subjects.all(ANN) == []
    (picture,) = (tmp_path / "trash").glob("*/references/00.png")
    assert read_image(picture).size == (4, 3)


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"base_model": "other"}, InvalidRequest, NOTE),
        ({"class_noun": " "}, InvalidClassNoun, "Say in a word"),
        ({"captions": ["one", "two"]}, InvalidRequest, "2 captions for 1 pictures"),
    ],
)
def test_what_cannot_be_tried_is_said(
    service: Service, change: dict[str, object], error: type[Exception], sentence: str
) -> None:
    request = learning(service).model_copy(update=change)

    with pytest.raises(error, match=sentence):
        service.add_unlearnt(ANN, request)

    assert service.subjects.all(ANN) == []


def test_an_empty_picture_and_a_base_that_takes_none_are_refused(service: Service) -> None:
    blob = service.blobs.write(bytes(48))
    empty = learning(service).model_copy(
        update={"images": [ImageRef(blob=blob, width=4, height=3)]}
    )
    with pytest.raises(InvalidImages, match="Picture 1 of 1 is empty"):
        service.add_unlearnt(ANN, empty)
    service.add_unlearnt(ANN, learning(service))

    with pytest.raises(InvalidRequest, match=f"@hero is not learnt yet. {NOTE}"):
        service.jobs.submit(ANN, GenerateRequest(prompt="@hero", base_model="other"))
    with pytest.raises(Conflict, match="There is a subject @hero already"):
        service.subjects.rename(ANN, service.add_unlearnt(ANN, learning(service, "Orc")).id, "Hero")


@pytest.mark.parametrize(("noun", "state"), [("explode", "failed"), ("knight", "done")])
def test_learning_takes_its_place_or_leaves_it(service: Service, noun: str, state: str) -> None:
    job = service.jobs.submit(ANN, learning(service, noun=noun))
    tried = service.subjects.all(ANN)
    assert [one.name for one in tried] == ["Hero"], "learning alone makes it, to paint meanwhile"

    assert end_of(service, ANN, job.id) == state

    (subject,) = service.subjects.all(ANN)
    expected = (job.id, True) if state == "done" else (tried[0].id, False)
    assert (subject.id, subject.is_learnt) == expected


def test_a_name_given_meanwhile_is_kept(service: Service, tmp_path: Path) -> None:
    job = service.jobs.submit(ANN, learning(service, noun="wait"))
    service.subjects.rename(ANN, service.subjects.all(ANN)[0].id, "Gawain")
    (tmp_path / "go").touch()

    assert end_of(service, ANN, job.id) == "done"

    assert [(one.id, one.name) for one in service.subjects.all(ANN)] == [(job.id, "Gawain")]


def test_a_subject_learnt_again_replaces_the_former_one(service: Service) -> None:
    first = service.jobs.submit(ANN, learning(service))
    assert end_of(service, ANN, first.id) == "done"
    with pytest.raises(Conflict, match="There is a subject @hero already"):
        service.jobs.submit(ANN, learning(service))
    again = learning(service).model_copy(update={"replaces": first.id})

    second = service.jobs.submit(ANN, again)

    assert end_of(service, ANN, second.id) == "done"
    assert [(one.id, one.name) for one in service.subjects.all(ANN)] == [(second.id, "Hero")]
