"""The plugin's copies of the API's models agree with the backend's, in both directions."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from modelsheet.api.animate import (
    Action,
    ActionList,
    AnimateResult,
    AnimationFrame,
    FigureFit,
    ViewName,
)
from modelsheet.api.describe_images import (
    ClassNounGuess,
    ClassNounList,
    ClassNounMatch,
    DescribeResult,
    PreparedImage,
)
from modelsheet.api.explore import MAX_RESULTS, AxisName
from modelsheet.api.generate import GenerateRequest, SamplerName
from modelsheet.api.generate_result import GeneratedImage, GenerateResult
from modelsheet.api.jobs import (
    TERMINAL_STATES,
    Event,
    EventPage,
    JobError,
    JobList,
    JobRequest,
    JobView,
    Progress,
    QueueView,
)
from modelsheet.api.learn import Estimate, LearnRequest, LearnResult, LikenessPoint
from modelsheet.api.models import BaseModelView, DownloadResult, ModelList, ModelView
from modelsheet.api.problems import Problem
from modelsheet.api.subjects import ImportRequest, SubjectList, SubjectView
from modelsheet.api.system import Capabilities, Ping
from modelsheet.api.types import API_VERSION, ImageRef
from modelsheet.api.vocabulary import Vocabulary
from tests.plugin import conftest as _plugin_on_path  # noqa: F401

from modelsheet_krita.backend import api_requests as asks, api_responses as plugin  # isort: skip
from modelsheet_krita.backend import json_codec  # isort: skip
from modelsheet_krita import image, view_names  # isort: skip
from modelsheet_krita.ui import explore_dialog, generation_settings  # isort: skip

REQUEST: TypeAdapter[Any] = TypeAdapter(JobRequest)
SHA256 = "0" * 64
REFERENCE = asks.ImageRef(SHA256, 8, 9, "front")
ANSWERS = {
    "GeneratedImage": GeneratedImage,
    "ClassNounGuess": ClassNounGuess,
    "ClassNounList": ClassNounList,
    "ClassNounMatch": ClassNounMatch,
    "Vocabulary": Vocabulary,
    "PreparedImage": PreparedImage,
    "Progress": Progress,
    "JobError": JobError,
    "JobView": JobView,
    "JobList": JobList,
    "SubjectView": SubjectView,
    "SubjectList": SubjectList,
    "BaseModelView": BaseModelView,
    "Capabilities": Capabilities,
    "Estimate": Estimate,
    "Event": Event,
    "EventPage": EventPage,
    "Ping": Ping,
    "Problem": Problem,
    "LikenessPoint": LikenessPoint,
    "QueueView": QueueView,
    "ModelView": ModelView,
    "ModelList": ModelList,
    "AnimationFrame": AnimationFrame,
    "Action": Action,
    "ActionList": ActionList,
}
IMAGE = GeneratedImage(blob=SHA256, width=4, height=5, seed=7, prompt="a knight")
PREPARED = PreparedImage(blob=SHA256, width=32, height=32, drawn_width=64, drawn_height=60)
FRAME = AnimationFrame(
    blob=SHA256, width=4, height=5, view="left", action="walk", index=2, frame_ms=100
)
FIT = asks.FigureFit("male", 4.0, 20.5, 60.0, 32.0, 18.0, 22.0)
RESULTS = [
    AnimateResult(
        key_views=[FRAME],
        frames=[FRAME],
        mannequins=[FRAME],
        fit=FigureFit(**dataclasses.asdict(FIT)),
        scale=1.0,
        origin_x=-3,
        origin_y=2,
        warnings=["small"],
    ),
    LearnResult(subject_id="s", training_steps=3, best_step=2, seconds=1.0),
    GenerateResult(images=[IMAGE], warnings=["small"]),
    DescribeResult(
        class_nouns=[ClassNounGuess(noun="knight", probability=0.5)],
        identifiers=["sks"],
        prepared=[PREPARED],
    ),
    DownloadResult(model="sd15", size_bytes=3),
]


def job(result: Any = None) -> JobView:
    return JobView(
        id="j",
        kind="learn",
        title="Hero",
        state="running",
        attempt=1,
        progress=Progress(phase="learning", step=1, total=2, fraction=0.5, eta_s=3.0),
        result=result,
        created=1.0,
    )


def within(heard: Any, said: Any) -> bool:
    """Tell whether the backend kept everything the plugin sent; it may have more fields."""
    if isinstance(said, dict):
        return isinstance(heard, dict) and all(within(heard[key], said[key]) for key in said)
    if isinstance(said, list):
        return len(heard) == len(said) and all(map(within, heard, said))
    return bool(heard == said)


def field_names(kind: Any) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


@pytest.mark.parametrize(
    "request_",
    [
        asks.LearnRequest("Hero", "knight", "", "quick", "sprite32", (REFERENCE,)),
        asks.GenerateRequest("@hero holding sword", 3, 7, True),
        asks.LearnRequest("Hero", "knight", "", "quick", "sprite32", (REFERENCE,), ("front",)),
        asks.GenerateRequest(
            "a knight",
            1,
            7,
            False,
            sampler="Euler a",
            inference_steps=20,
            guidance_scale=4.0,
            unet_scale=0.5,
            text_encoder_scale=1.5,
            init_image=REFERENCE,
            strength=0.4,
            mask=asks.MaskRef(SHA256, 8, 9),
            patch=True,
            pixel_art=asks.PixelArt(),
            variation_seed=9,
            variation_strength=0.3,
        ),
        asks.GenerateRequest(
            "a knight",
            1,
            7,
            True,
            explore=asks.Explore(
                asks.Axis("unet_scale", (0.0, 1.0)), asks.Axis("seed", (1.0, 2.0))
            ),
        ),
        asks.DescribeRequest("sprite32", (REFERENCE,), nouns=False, prepared=True),
        asks.DownloadRequest("sd15"),
        asks.AnimateRequest((asks.Drawing(REFERENCE, "left"), asks.Drawing(REFERENCE))),
        asks.AnimateRequest(
            subject="@hero",
            views=("front",),
            actions=("walk",),
            own_actions=(asks.OwnAction("dance", "left", (REFERENCE,), 80),),
            fit=FIT,
            size=64,
        ),
    ],
    ids=lambda request: request.kind,
)
def test_backend_understands_what_the_plugin_asks(request_: Any) -> None:
    said = json_codec.encode(request_)

    understood = REQUEST.validate_json(TypeAdapter(dict[str, Any]).dump_json(said))

    heard = understood.model_dump(mode="json")
    assert within(heard, TypeAdapter(dict[str, Any]).dump_python(said, mode="json"))


def test_backend_understands_an_import() -> None:
    said = json_codec.encode(asks.ImportRequest("Fox", "fox", "", "sprite32", (SHA256,), "fox.bin"))

    heard = ImportRequest.model_validate_json(TypeAdapter(Any).dump_json(said))

    assert within(heard.model_dump(mode="json"), TypeAdapter(Any).dump_python(said, mode="json"))


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_plugin_expects_only_fields_the_backend_sends(name: str) -> None:
    assert field_names(getattr(plugin, name)) <= set(ANSWERS[name].model_fields)


def test_plugin_expects_only_results_the_backend_has() -> None:
    known = {field for result in RESULTS for field in type(result).model_fields}

    assert field_names(plugin.JobResult) <= known


@pytest.mark.parametrize("result", [None, *RESULTS], ids=lambda result: type(result).__name__)
def test_plugin_understands_a_job_with_every_kind_of_result(result: Any) -> None:
    sent = job(result)

    read = json_codec.decode(plugin.JobView, sent.model_dump(mode="json"))

    assert (read.id, read.state, read.progress.eta_s) == ("j", "running", 3.0)
    if result is not None:
        kept = dataclasses.asdict(read.result)
        told = result.model_dump(mode="json")
        assert read.result.kind == told["kind"]
        for name in set(kept) & set(told):
            assert_understood(TypeAdapter(Any).dump_python(kept[name], mode="json"), told[name])


def assert_understood(kept: Any, told: Any) -> None:
    """Check that the plugin's fields have the values sent; it may ignore some of a model's."""
    if isinstance(kept, dict):
        assert set(kept) <= set(told)
        for name, value in kept.items():
            assert_understood(value, told[name])
    elif isinstance(kept, list):
        for mine, theirs in zip(kept, told, strict=True):
            assert_understood(mine, theirs)
    else:
        assert kept == told


def test_plugin_understands_an_event_page() -> None:
    page = EventPage(
        events=[
            Event(seq=1, type="job", job=job()),
            Event(seq=2, type="subjects"),
        ],
        cursor="b:2",
        retry_ms=5,
    )

    read = json_codec.decode(plugin.EventPage, page.model_dump(mode="json"))

    assert [event.type for event in read.events] == ["job", "subjects"]
    assert read.events[0].job.title == "Hero"
    assert (read.cursor, read.gap, read.retry_ms) == ("b:2", False, 5)


def test_plugin_leaves_unknown_fields_alone() -> None:
    assert json_codec.decode(plugin.Ping, {"ok": True, "proof": "p", "new": 1}) == plugin.Ping("p")


@pytest.mark.parametrize("answer", [[], "text", {}, {"jobs": [{}]}, {"jobs": 3}])
def test_what_is_no_answer_is_refused(answer: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        json_codec.decode(plugin.JobList, answer)


def test_limits_and_states_are_the_backends() -> None:
    def longest(model: Any, field: str) -> int:
        schema = model.model_json_schema()["properties"][field]
        return schema.get("maxLength") or schema["maxItems"]

    assert longest(LearnRequest, "name") == plugin.NAME_LENGTH
    assert longest(LearnRequest, "class_noun") == plugin.CLASS_NOUN_LENGTH
    assert longest(LearnRequest, "identifier") == plugin.IDENTIFIER_LENGTH
    assert longest(LearnRequest, "images") == plugin.MOST_PICTURES
    assert MAX_RESULTS == plugin.MOST_RESULTS
    assert set(get_args(SamplerName)) == set(generation_settings.SAMPLERS)
    assert set(get_args(AxisName)) == set(explore_dialog.DEFAULT_VALUES)
    assert longest(GenerateRequest, "prompt") == plugin.PROMPT_LENGTH
    assert longest(ImageRef, "name") == image.LAYER_NAME_LENGTH
    assert TERMINAL_STATES == plugin.TERMINAL_STATES
    assert get_args(ViewName) == view_names.VIEWS
    assert API_VERSION.split(".")[0] == plugin.API_MAJOR
