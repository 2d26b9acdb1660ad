"""Whole subjects go from one service to another as files, and come out as they were."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from modelsheet.api.subjects import SubjectArchiveRequest
from modelsheet.api.types import ImageRef
from modelsheet.errors import InvalidImages, NotFound, UnsafeModel
from modelsheet.files.safetensors_file import encode_safetensors
from modelsheet.service import subjects
from modelsheet.service.auth.caller import OPERATOR, Caller
from modelsheet.service.http.app import create_app
from modelsheet.service.queue.job_store import JobStore
from modelsheet.service.service import Service
from modelsheet.service.storage.blobs import BlobStore
from modelsheet.service.subjects import SubjectService
from modelsheet.subjects.archive import SubjectArchive
from modelsheet.subjects.record import RECORD, SubjectRecord, write_record
from modelsheet.subjects.store import ADAPTER, SubjectStore
from tests.cli.test_subjects import DOWN, LAYER, UP
from tests.files.damaged_zip import spoiled
from tests.service.subject import subject_record

ID = "aaaaaaaa-0000-4000-8000-000000000001"
ANN, BEN = Caller("ann"), Caller("ben")
WEIGHTS = encode_safetensors({f"{LAYER}.lora_up.weight": UP, f"{LAYER}.lora_down.weight": DOWN}, {})
PIXELS = bytes(range(96)) * 2  # 6 x 8 of BGRA; some of it has colour under alpha 0


class DataFolder:
    """One data folder with its stores and its subject service."""

    def __init__(self, folder: Path) -> None:
        self.subjects = SubjectStore(folder)
        self.blobs = BlobStore(folder / "blobs")
        self.jobs = JobStore(folder / "ledger.sqlite3", lambda job: None, 1.0)
        self.service = SubjectService(
            folder, self.subjects, self.blobs, self.jobs.table, lambda: None
        )

    def pack(self) -> bytes:
        _, stream = self.service.export_archive(OPERATOR, ID)
        with stream:
            return stream.read()

    def unpack(self, content: bytes, caller: Caller) -> SubjectRecord:
        request = SubjectArchiveRequest(parts=[self.blobs.write(content)])
        return self.subjects.get(self.service.import_archive(caller, request).id)

    def learn(self, pixels: bytes = PIXELS, size: tuple[int, int] = (6, 8)) -> None:
        publish(self.subjects, self.blobs, pixels, size)


def publish(
    subjects: SubjectStore,
    blobs: BlobStore,
    pixels: bytes = PIXELS,
    size: tuple[int, int] = (6, 8),
) -> None:
    """Leave Ann's hero there, learnt from one picture."""
    reference = ImageRef(blob=blobs.write(pixels), width=size[0], height=size[1], name="front")
    told = {
        "references": [reference],
        "captions": ["front"],
        "adapter_sha256": hashlib.sha256(WEIGHTS).hexdigest(),
    }
    staging = subjects.stage(ID)
    (staging / ADAPTER).write_bytes(WEIGHTS)
    write_record(staging, subject_record(ID).model_copy(update=told))
    subjects.publish(staging, ID, "ann")


@pytest.fixture
def data_folder(tmp_path: Path) -> Any:  # Any: a generator fixture
    made: list[DataFolder] = []

    def make(name: str) -> DataFolder:
        folder = tmp_path / name
        folder.mkdir()
        made.append(DataFolder(folder))
        return made[-1]

    yield make
    for one in made:
        one.jobs.close()


@pytest.fixture
def here(data_folder: Callable[[str], DataFolder]) -> DataFolder:
    here = data_folder("here")
    here.learn()
    return here


def test_where_open_files_cannot_be_removed_an_export_is_read_before(
    here: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = here.pack()
    monkeypatch.setattr(subjects, "IS_WINDOWS", True)

    _, stream = here.service.export_archive(OPERATOR, ID)

    assert isinstance(stream, io.BytesIO)
    assert zipfile.ZipFile(stream).namelist() == zipfile.ZipFile(io.BytesIO(usual)).namelist()


def test_it_is_there_as_it_was_here(
    here: DataFolder, data_folder: Callable[[str], DataFolder]
) -> None:
    here.subjects.rename(ID, "Gawain")
    there = data_folder("there")

    record = there.unpack(here.pack(), BEN)

    changes = {"owner": "ben", "is_imported": True}
    assert record == here.subjects.get(ID).model_copy(update=changes)
    assert there.subjects.adapter_path(ID).read_bytes() == WEIGHTS
    assert there.blobs.read(record.references[0].blob) == PIXELS
    assert here.pack() == here.pack()


def test_large_references_are_packed_as_large_as_a_base_can_use(
    data_folder: Callable[[str], DataFolder],
) -> None:
    here, there = data_folder("here"), data_folder("there")
    here.learn(b"\x10\x20\x30\xff" * (2048 * 512), (2048, 512))

    record = there.unpack(here.pack(), OPERATOR)

    reference = record.references[0]
    assert (reference.width, reference.height, reference.name) == (1024, 256, "front")
    assert there.blobs.size(reference.blob) == 1024 * 256 * 4


def test_one_that_is_there_already_stays_as_it_is(here: DataFolder) -> None:
    content = here.pack()
    here.subjects.rename(ID, "Gawain")

    assert here.unpack(content, ANN).name == "Gawain"
    assert len(here.subjects.list()) == 1


def test_another_artist_gets_a_copy_and_no_second_one(here: DataFolder) -> None:
    content = here.pack()

    copy = here.unpack(content, BEN)

    assert copy.id != ID
    assert copy.owner == "ben"
    assert here.unpack(content, BEN) == copy
    assert len(here.subjects.list()) == 2


def repacked(content: bytes, **changed: bytes | None) -> bytes:
    """The parcel with other entries; None leaves one out."""
    names = {"record": RECORD, "adapter": ADAPTER, "picture": "references/0.png"}
    entries = {names[key]: value for key, value in changed.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            told = entries.get(name, old.read(name))
            if told is not None:
                new.writestr(name, told)
    return packed.getvalue()


def told(content: bytes, **changed: object) -> bytes:
    """The parcel's record with other values."""
    record = SubjectArchive(content).record.model_copy(update=changed)
    return repacked(content, record=record.model_dump_json().encode())


def other_picture(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        picture = archive.read("references/0.png")
    return repacked(content, picture=picture[:-20])


def pickled(content: bytes) -> bytes:
    weights = b"\x80\x04 looks like one"
    entries = {"adapter_sha256": hashlib.sha256(weights).hexdigest()}
    record = SubjectArchive(content).record.model_copy(update=entries)
    return repacked(content, adapter=weights, record=record.model_dump_json().encode())


BAD: dict[str, tuple[Callable[[bytes], bytes], type[Exception], str]] = {
    "no zip": (lambda content: b"hello", UnsafeModel, "no subject of Modelsheet"),
    "cut off": (lambda content: content[:-30], UnsafeModel, "no subject of Modelsheet"),
    "spoiled bytes": (lambda content: spoiled(content, RECORD), UnsafeModel, "or damaged"),
    "no record": (lambda content: repacked(content, record=None), UnsafeModel, "lacks 'subject.j"),
    "no json": (lambda content: repacked(content, record=b"{"), UnsafeModel, "damaged, or of a"),
    "a path for an id": (lambda content: told(content, id="../x"), UnsafeModel, "damaged, or of"),
    "an id of another spelling": (
        lambda content: told(content, id=ID.upper()),
        UnsafeModel,
        "damaged, or of a newer",
    ),
    "other weights": (
        lambda content: repacked(content, adapter=WEIGHTS + b"x"),
        UnsafeModel,
        "adapter is not what was learnt",
    ),
    "a pickle": (pickled, UnsafeModel, "is a pickle"),
    "no picture": (lambda content: repacked(content, picture=None), UnsafeModel, "lacks 'referen"),
    "half a picture": (other_picture, InvalidImages, "a reference"),
    "an unknown base": (
        lambda content: told(content, base_model="mine"),
        NotFound,
        "no base model 'mine'",
    ),
}


@pytest.mark.parametrize(("spoil", "error", "said"), BAD.values(), ids=BAD)
def test_what_is_no_whole_subject_is_refused_in_a_sentence(
    here: DataFolder,
    data_folder: Callable[[str], DataFolder],
    spoil: Callable[[bytes], bytes],
    error: type[Exception],
    said: str,
) -> None:
    there = data_folder("there")

    with pytest.raises(error, match=said):
        there.unpack(spoil(here.pack()), BEN)

    assert there.subjects.list() == []


def test_a_subject_for_another_base_is_refused(
    here: DataFolder, data_folder: Callable[[str], DataFolder]
) -> None:
    foreign = encode_safetensors({f"{LAYER}.lora_up.weight": np.ones((3, 2), np.float32)}, {})
    content = here.pack()
    changed = {"adapter_sha256": hashlib.sha256(foreign).hexdigest()}
    record = SubjectArchive(content).record.model_copy(update=changed)
    spoilt = repacked(content, adapter=foreign, record=record.model_dump_json().encode())

    with pytest.raises(UnsafeModel):
        data_folder("there").unpack(spoilt, BEN)


def test_over_http_it_goes_out_and_comes_in_again(service: Service, client: FlaskClient) -> None:
    publish(SubjectStore(service.data_dir), service.blobs)

    sent = client.get(f"/v1/subjects/{ID}/parcel")
    assert client.delete(f"/v1/subjects/{ID}").status_code == 200
    half = len(sent.data) // 2
    parts = [service.blobs.write(part) for part in (sent.data[:half], sent.data[half:])]
    taken = client.post("/v1/parcels", json={"parts": parts})

    assert sent.headers["Content-Disposition"] == "attachment; filename=hero.modelsheet"
    assert (taken.status_code, taken.json and taken.json["id"]) == (201, ID)
    assert service.subjects.get(OPERATOR, ID).name == "Hero"
    lost = client.post("/v1/parcels", json={"parts": ["0" * 64]})
    assert lost.status_code == 404


def test_a_parcel_of_somebody_else_is_not_there(service: Service) -> None:
    publish(SubjectStore(service.data_dir), service.blobs)
    ben = create_app(service).test_client()
    ben.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {service.tokens.add('ben').token}"
    ben.environ_base["HTTP_HOST"] = "127.0.0.1"

    assert ben.get(f"/v1/subjects/{ID}/parcel").status_code == 404
