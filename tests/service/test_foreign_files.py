"""Files of strangers at the service: refused soon, in little memory, and never in the way later."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from flask.testing import FlaskClient
from PIL import Image

from modelsheet.errors import Busy, DiskFull, ModelsheetError, NotFound, UnsafeModel
from modelsheet.files.safetensors_file import encode_safetensors
from modelsheet.service.auth.caller import OPERATOR
from modelsheet.service.child_process import ChildProcesses, Limits
from modelsheet.service.http.app import create_app
from modelsheet.service.service import Service
from modelsheet.subjects.archive import SubjectArchive
from modelsheet.subjects.record import RECORD
from modelsheet.subjects.store import ADAPTER, SubjectStore
from tests.cli.test_subjects import DOWN, LAYER, UP
from tests.imaging.test_rgba import POSTSCRIPT
from tests.service import child_tasks
from tests.service.subject import stage_subject, subject_record

ID = "11111111-2222-4333-8444-555555555555"
WEIGHTS = encode_safetensors({f"{LAYER}.lora_up.weight": UP, f"{LAYER}.lora_down.weight": DOWN}, {})
LITTLE = 64 << 20  # bytes that the service may need more


def png(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def reference(image: Image.Image, name: str = "front") -> dict[str, object]:
    pixels = image.convert("RGBA").tobytes("raw", "BGRA")
    sha256 = hashlib.sha256(pixels).hexdigest()
    return {"blob": sha256, "width": image.width, "height": image.height, "name": name}


def parcel(images: tuple[bytes, ...] = (), adapter: bytes = WEIGHTS, **changed: object) -> bytes:
    record = json.loads(subject_record(ID).model_dump_json())
    record |= {"adapter_sha256": hashlib.sha256(adapter).hexdigest(), **changed}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(RECORD, json.dumps(record))
        archive.writestr(ADAPTER, adapter)
        for number, image in enumerate(images):
            archive.writestr(f"references/{number}.png", image)
    return content.getvalue()


def send(service: Service, client: FlaskClient, content: bytes) -> Any:
    return client.post("/v1/parcels", json={"parts": [service.blobs.write(content)]})


class PeakMemory:
    """The most memory of this process above what it had, in bytes, while the block runs."""

    def __enter__(self) -> PeakMemory:
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self.bytes, self._ended = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.01):
            self.bytes = max(self.bytes, self._process.memory_info().rss - self._before)


GOOD = Image.new("RGBA", (6, 8), (1, 2, 3, 255))
UNSHOWABLE: dict[str, dict[str, object]] = {
    "negative steps": {"training_steps": -5},
    "2^60 steps": {"training_steps": 2**60},
    "2^60 best step": {"best_step": 2**60},
    "half a step": {"training_steps": 1.5},
    "far future": {"created": 1e308},
    "far past": {"created": -1e308},
    "no time": {"created": float("nan")},
    "endless": {"created": float("inf")},
    "NaN likeness": {
        "curve": [
            {
                "step": 8,
                "subject_fidelity": float("nan"),
                "prompt_fidelity": 0.5,
                "prior_drift": 0.0,
                "score": 0.6,
            }
        ]
    },
    "a long name": {"name": "n" * 100_000},
    "two lines": {"name": "a\nb"},
    "an escape sequence": {"class_noun": "knight\x1b[2J"},
    "a long class noun": {"class_noun": "n" * 61},
    "no class noun": {"class_noun": " "},
    "a long identifier": {"identifier": "i" * 2_000_000},
    "no identifier": {"identifier": ""},
    "an identifier of two lines": {"identifier": "a\rb"},
    "a long base": {"base_model": "b" * 201},
    "a long caption": {"captions": ["c" * 1001]},
    "many captions": {"captions": ["c"] * 65},
    "a long warning": {"warnings": ["w" * 1001]},
    "many warnings": {"warnings": ["w"] * 1001},
    "a long preset": {"preset": "p" * 1001},
    "a huge seed": {"seed": 10**30},
    "no sha256": {"adapter_sha256": "x"},
    "many references": {"references": [reference(GOOD)] * 65},
    "a wide reference": {"references": [reference(GOOD) | {"width": 2**40}]},
    "a number for a name": {"name": 7},
    "a new field": {"more": 1},
    "a long report": {"report": {"kept_step": 1, "findings": ["f" * 1001]}},
    "endless change": {"report": {"kept_step": 1, "change": {"unet": float("inf")}}},
}


@pytest.mark.parametrize("changed", UNSHOWABLE.values(), ids=UNSHOWABLE)
def test_a_record_that_could_not_be_shown_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(UnsafeModel, match=r"subject is damaged|more than 1048576 bytes"):
        SubjectArchive(parcel(**changed))


@pytest.mark.parametrize("changed", [UNSHOWABLE["negative steps"], UNSHOWABLE["no time"]])
def test_what_could_not_be_shown_is_not_stored(
    changed: dict[str, object], service: Service, client: FlaskClient
) -> None:
    refused = send(service, client, parcel(**changed))

    assert refused.status_code == 422
    assert client.get("/v1/subjects").json == {"subjects": []}


def test_control_characters_in_names_of_layers_and_notes_become_spaces(
    service: Service, client: FlaskClient
) -> None:
    named = [reference(GOOD, "fr\x1b]0;ont\n")]
    content = parcel((png(GOOD),), references=named, warnings=["be\x07ep"])

    taken = send(service, client, content)

    assert taken.status_code == 201
    assert taken.json["references"][0]["name"] == "fr ]0;ont "
    assert taken.json["warnings"] == ["be ep"]


HUGE = Image.new("1", (8192, 8192))
SECOND_SIZE = reference(GOOD) | {"width": 8, "height": 6}
BAD_PICTURES: dict[str, tuple[tuple[bytes, ...], dict[str, object]]] = {
    "PostScript": ((POSTSCRIPT,), {"references": [reference(GOOD)]}),
    "twelve of 8192 px": ((png(HUGE),) * 12, {"references": [reference(GOOD)] * 12}),
    "64 of 8192 px": ((png(HUGE),) * 64, {"references": [reference(GOOD)] * 64}),
    "a JPEG": ((b"\xff\xd8\xff\xe0",), {"references": [reference(GOOD)]}),
    "other pixels": ((png(Image.new("RGBA", (6, 8))),), {"references": [reference(GOOD)]}),
    "the sides swapped": ((png(GOOD),), {"references": [SECOND_SIZE]}),
}


@pytest.mark.parametrize(("images", "changed"), BAD_PICTURES.values(), ids=BAD_PICTURES)
def test_bad_pictures_of_a_parcel_are_refused_in_little_memory(
    images: tuple[bytes, ...],
    changed: dict[str, object],
    service: Service,
    client: FlaskClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called = tmp_path / "called"
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {called}\n")
    (tmp_path / "gs").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    content = parcel(images, **changed)

    with PeakMemory() as peak:
        refused = send(service, client, content)

    assert refused.status_code == 422, refused.json
    assert peak.bytes < LITTLE
    assert not called.exists()
    assert client.get("/v1/subjects").json == {"subjects": []}


def bomb(size: int) -> bytes:
    header = json.dumps({"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


@pytest.mark.parametrize("size", [1 << 20, 200 << 20, 300 << 20])
def test_an_adapter_that_unpacks_to_much_costs_the_service_little(
    size: int, service: Service, client: FlaskClient
) -> None:
    content = parcel(adapter=bomb(size))

    with PeakMemory() as peak:
        refused = send(service, client, content)

    assert refused.status_code == 422
    assert peak.bytes < LITTLE


def test_one_part_named_64_times_is_counted_64_times(service: Service, client: FlaskClient) -> None:
    part = service.blobs.write(bytes(16 << 20))

    with PeakMemory() as peak:
        refused = client.post("/v1/parcels", json={"parts": [part] * 64})

    assert refused.status_code == 422
    assert "at most 384 MiB" in refused.json["detail"]
    assert peak.bytes < LITTLE


def test_a_shape_without_end_holds_nobody_up(service: Service, client: FlaskClient) -> None:
    shape = [2**63 - 1] * 60_000
    header = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}).encode()
    part = service.blobs.write(struct.pack("<Q", len(header)) + header)
    began = time.process_time()

    refused = client.post(
        "/v1/subjects",
        json={"name": "x", "class_noun": "fox", "identifier": "fxo", "parts": [part]},
    )

    assert refused.status_code == 422
    assert time.process_time() - began < 2.0  # of this process; it was 15 s


def test_a_lora_comes_in_with_its_numbers_checked(service: Service, client: FlaskClient) -> None:
    request = {"class_noun": "fox", "identifier": "fxo"}
    metadata = {"lora_adapter_metadata": '{"unet.lora_alpha": NaN}'}
    names = {f"{LAYER}.lora_up.weight": UP, f"{LAYER}.lora_down.weight": DOWN}
    good, bad = WEIGHTS, encode_safetensors(names, metadata)

    answers = [
        client.post(
            "/v1/subjects", json={**request, "name": name, "parts": [service.blobs.write(content)]}
        )
        for name, content in (("Good", good), ("Bad", bad))
    ]

    assert [answer.status_code for answer in answers] == [201, 422]
    assert "without bounds" in answers[1].json["detail"]


def hurt(service: Service, **changed: object) -> None:
    """Leave a subject as version 0.1 stored it from a parcel: whole, with a record that no view
    can show.
    """
    store = SubjectStore(service.data_dir)
    staging = store.stage(ID)
    stage_subject(staging, ID)
    store.publish(staging, ID, "ann")
    folder = store.folder(ID)
    record = json.loads((folder / RECORD).read_text()) | changed
    (folder / RECORD).write_text(json.dumps(record))
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    content = (folder / RECORD).read_bytes()
    manifest["files"][RECORD] = {
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    (folder / "MANIFEST.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("who", ["ann", "operator"])
def test_a_record_that_cannot_be_shown_is_left_out_and_can_be_deleted(
    who: str, service: Service, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    hurt(service, training_steps=-5)
    if who == "ann":
        token = service.tokens.add("ann").token
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"

    assert client.get("/v1/subjects").json == {"subjects": []}
    assert f"{ID} is left out" in caplog.text
    assert client.get(f"/v1/subjects/{ID}").status_code == 404
    assert client.delete(f"/v1/subjects/{ID}").status_code == 200
    assert client.delete(f"/v1/subjects/{ID}").status_code == 404


def test_another_artist_cannot_delete_it(service: Service) -> None:
    hurt(service, training_steps=-5)
    ben = create_app(service).test_client()
    ben.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {service.tokens.add('ben').token}"
    ben.environ_base["HTTP_HOST"] = "127.0.0.1"

    assert ben.delete(f"/v1/subjects/{ID}").status_code == 404


def test_an_answer_that_does_not_validate_is_our_fault(
    service: Service, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.subjects, "all", lambda caller: subject_record("not an id"))

    answer = client.get("/v1/subjects")

    assert (answer.status_code, answer.json["code"]) == (500, "internal")


@pytest.mark.parametrize(
    ("function", "error", "said"),
    [
        (child_tasks.die, UnsafeModel, "died of it"),
        (child_tasks.eat, UnsafeModel, "more memory than is allowed"),
        (child_tasks.sleep, UnsafeModel, "takes more than 3 seconds"),
        (child_tasks.refuse, NotFound, "There is none."),
        (child_tasks.fill_disk, DiskFull, "is full"),
    ],
)
def test_what_happens_to_a_child_is_said_in_a_sentence(
    function: Callable[[], object], error: type[ModelsheetError], said: str
) -> None:
    seconds = 3.0 if function is child_tasks.sleep else 60.0

    with pytest.raises(error, match=said):
        ChildProcesses().run(function, Limits(2 << 30, seconds))


def test_a_child_dumps_no_core_and_its_output_is_its_answer_alone() -> None:
    answer = ChildProcesses().run(child_tasks.limits, Limits(2 << 30))

    assert answer == {"core": [0, 0], "folder": "backend"}


def test_more_than_a_few_are_asked_to_wait() -> None:
    children = ChildProcesses()
    told: list[str] = []

    def run() -> None:
        try:
            children.run(child_tasks.limits, Limits(2 << 30))
        except Busy as error:
            told.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert told == ["The service is reading other files. Try again in a minute."] * 2


def test_an_export_leaves_no_file_behind(service: Service, client: FlaskClient) -> None:
    taken = send(service, client, parcel((png(GOOD),), references=[reference(GOOD)]))
    assert taken.status_code == 201, taken.json

    archive = client.get(f"/v1/subjects/{ID}/parcel")
    lora = client.get(f"/v1/subjects/{ID}/adapter")

    assert len(archive.data) == archive.content_length > len(WEIGHTS)
    assert lora.status_code == 200
    assert [path.name for path in (service.data_dir / "subjects").iterdir()] == [ID]
    assert service.subjects.get(OPERATOR, ID).references[0].name == "front"


def test_an_adapter_too_large_for_an_archive_is_not_packed(
    service: Service, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SubjectStore(service.data_dir)
    staging = store.stage(ID)
    stage_subject(staging, ID)
    with (staging / ADAPTER).open("r+b") as adapter:
        adapter.truncate(257 << 20)
    store.publish(staging, ID)

    refused = client.get(f"/v1/subjects/{ID}/parcel")

    assert refused.status_code == 422
    assert "Export it as a LoRA file instead" in refused.json["detail"]
