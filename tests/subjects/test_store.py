"""Subjects on disk are whole or not there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from modelsheet.errors import Conflict, InvalidRequest, ModelsheetError, NotFound, UnsafeModel
from modelsheet.files.manifest import MANIFEST_NAME
from modelsheet.prompts.mentions import expand_prompt
from modelsheet.subjects.record import RECORD, SubjectRecord, write_record
from modelsheet.subjects.store import ADAPTER, SubjectStore
from tests.service.subject import WEIGHTS, stage_subject, subject_record

ID = "aaaaaaaa-0000-4000-8000-000000000001"
OTHER = "aaaaaaaa-0000-4000-8000-000000000002"


@pytest.fixture
def store(tmp_path: Path) -> SubjectStore:
    return SubjectStore(tmp_path)


def publish(
    store: SubjectStore, subject_id: str = ID, name: str = "Hero", created: float = 1.0
) -> None:
    staging = store.stage(subject_id)
    stage_subject(staging, subject_id, name, created)
    store.publish(staging, subject_id)


def test_a_published_subject_is_read_as_it_was_written(store: SubjectStore) -> None:
    publish(store)

    assert store.list() == [store.get(ID)] == [subject_record(ID)]
    assert store.adapter_path(ID).read_bytes() == WEIGHTS
    assert store.get(ID).view().likeness == 0.75


def test_what_is_being_written_is_not_there(store: SubjectStore) -> None:
    stage_subject(store.stage(ID), ID)

    assert store.list() == []


def test_publishing_again_changes_nothing(store: SubjectStore, tmp_path: Path) -> None:
    publish(store)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "subjects" / ID).iterdir()}
    publish(store, name="Another")

    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "subjects" / ID).iterdir()} == before
    assert [path.name for path in (tmp_path / "subjects").iterdir()] == [ID]


@pytest.mark.parametrize("missing", [RECORD, ADAPTER])
def test_half_a_subject_is_not_published(store: SubjectStore, missing: str) -> None:
    staging = store.stage(ID)
    stage_subject(staging, ID)
    (staging / missing).unlink()

    with pytest.raises(ModelsheetError, match="Learn it again"):
        store.publish(staging, ID)
    assert store.list() == []


def test_a_subject_of_another_job_is_not_published(store: SubjectStore) -> None:
    staging = store.stage(ID)
    stage_subject(staging, OTHER)

    with pytest.raises(ModelsheetError):
        store.publish(staging, ID)


@pytest.mark.parametrize("file", [RECORD, ADAPTER, MANIFEST_NAME])
def test_a_truncated_file_makes_the_subject_invisible(
    store: SubjectStore, tmp_path: Path, file: str
) -> None:
    publish(store)
    path = tmp_path / "subjects" / ID / file
    path.write_bytes(path.read_bytes()[:-1])

    assert store.list() == []
    with pytest.raises(NotFound):
        store.get(ID)


def test_a_flipped_bit_in_the_adapter_is_found_before_it_is_loaded(
    store: SubjectStore, tmp_path: Path
) -> None:
    publish(store)
    (tmp_path / "subjects" / ID / ADAPTER).write_bytes(b"wEights")

    with pytest.raises(UnsafeModel, match="Learn the subject again"):
        store.adapter_path(ID)


def test_names_and_identifiers_find_subjects(store: SubjectStore) -> None:
    publish(store, ID, created=1.0)
    publish(store, OTHER, name="Fox", created=2.0)

    assert [record.id for record in store.list()] == [OTHER, ID]
    assert store.find("@hero").id == store.find("HERO").id == ID
    assert store.find("xyz").id == OTHER, "the newest of an identifier"
    with pytest.raises(NotFound, match="villain"):
        store.find("@villain")


def test_a_name_counts_before_identifiers(store: SubjectStore) -> None:
    publish(store, ID, name="xyz", created=1.0)
    publish(store, OTHER, name="Fox", created=2.0)  # whose identifier is xyz

    assert store.find("@xyz").id == ID


def test_a_second_subject_of_a_name_gets_another_and_says_so(store: SubjectStore) -> None:
    publish(store, ID)
    publish(store, OTHER, name="HERO")

    assert (store.get(OTHER).name, store.get(OTHER).handle) == ("HERO 2", "hero_2")
    assert store.get(OTHER).warnings == ["There is a subject @hero already: this one is @hero_2."]
    assert store.get(ID).warnings == []


def test_of_twelve_renames_to_one_name_one_succeeds(store: SubjectStore) -> None:
    ids = [f"aaaaaaaa-0000-4000-8000-{number:012}" for number in range(12)]
    for number, subject_id in enumerate(ids):
        publish(store, subject_id, name=f"Fox {number}")

    def rename(subject_id: str) -> bool:
        try:
            store.rename(subject_id, "Gawain")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(12) as threads:
        assert sorted(threads.map(rename, ids)) == [False] * 11 + [True]


def test_one_subject_published_by_twelve_at_once_stands_once(
    store: SubjectStore, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda _: publish(store), range(12)))

    assert [record.id for record in store.list()] == [ID]
    assert not (tmp_path / "trash").exists()


def test_a_deleted_subject_lies_in_the_trash(store: SubjectStore, tmp_path: Path) -> None:
    publish(store)
    store.trash(ID)

    assert store.list() == []
    assert [path.name for path in (tmp_path / "trash").glob(f"*-{ID}/*.safetensors")] == [ADAPTER]
    with pytest.raises(NotFound):
        store.trash(ID)


@pytest.mark.parametrize("name", ["..", "../jobs", ".staging-x", "", "a" * 65])
def test_no_id_leads_out_of_the_folder(store: SubjectStore, name: str) -> None:
    with pytest.raises(NotFound):
        store.get(name)


def test_a_new_name_leaves_what_was_learnt_sealed(store: SubjectStore, tmp_path: Path) -> None:
    publish(store)
    sealed = (tmp_path / "subjects" / ID / MANIFEST_NAME).read_bytes()

    renamed = store.rename(ID, " Sir Gawain ")

    assert (renamed.name, renamed.handle) == ("Sir Gawain", "sir_gawain")
    assert store.find("@sir_gawain").id == ID
    assert store.adapter_path(ID).read_bytes() == WEIGHTS
    assert (tmp_path / "subjects" / ID / MANIFEST_NAME).read_bytes() == sealed


def test_what_a_subject_was_called_still_finds_it_until_another_is_called_so(
    store: SubjectStore,
) -> None:
    publish(store)
    store.rename(ID, "Gawain")
    store.rename(ID, "Sir Gawain")

    assert store.find("@hero").id == store.find("@gawain").id == ID
    assert expand_prompt("@hero on a hill", store.list()).subjects[0].id == ID

    publish(store, OTHER, name="Hero")
    assert store.find("@hero").id == OTHER


def test_a_name_that_cannot_be_said_or_is_taken_is_refused(store: SubjectStore) -> None:
    publish(store)
    publish(store, OTHER, name="Fox")

    with pytest.raises(InvalidRequest, match="at least one letter"):
        store.rename(ID, "🙂")
    with pytest.raises(Conflict, match="There is a subject @fox already"):
        store.rename(ID, "FOX")

    assert store.get(ID).name == "Hero"
    assert store.rename(ID, "HERO").name == "HERO", "its own word is free for it"


def publish_unlearnt(
    store: SubjectStore, subject_id: str, name: str = "Hero", *, takes_over: bool = True
) -> SubjectRecord:
    staging = store.stage(subject_id)
    unlearnt = {"adapter_sha256": "", "identifier": "", "created": 2.0}
    write_record(staging, subject_record(subject_id, name).model_copy(update=unlearnt))
    return store.publish(staging, subject_id, takes_over=takes_over)


def test_learning_takes_the_place_of_a_subject_that_was_not_learnt(
    store: SubjectStore, tmp_path: Path
) -> None:
    publish_unlearnt(store, OTHER)
    with pytest.raises(InvalidRequest, match="@hero is not learnt yet"):
        store.adapter_path(OTHER)
    store.require_free_handle("Hero", "", takes_over=True)
    with pytest.raises(Conflict):
        store.require_free_handle("Hero", "")
    store.rename(OTHER, "Gawain")
    staging = store.stage(ID)
    stage_subject(staging, ID)

    learnt = store.publish(staging, ID, takes_over=True)

    assert store.list() == [learnt]
    assert (learnt.name, learnt.warnings) == ("Gawain", [])
    assert store.find("hero").id == ID, "its former handle still leads to it"
    assert [path.name.endswith(OTHER) for path in (tmp_path / "trash").iterdir()] == [True]


def test_what_is_imported_takes_nobodys_place(store: SubjectStore) -> None:
    publish_unlearnt(store, OTHER)
    publish(store)

    assert sorted(one.name for one in store.list()) == ["Hero", "Hero 2"]
    with pytest.raises(Conflict):
        store.require_free_handle("Hero 2", "", takes_over=True)


def test_a_subject_learnt_again_replaces_the_former_one(store: SubjectStore) -> None:
    publish(store)
    store.rename(ID, "Gawain")
    with pytest.raises(Conflict):
        store.require_free_handle("Gawain", "", takes_over=True)
    store.require_free_handle("Gawain", "", but=ID, takes_over=True)
    staging = store.stage(OTHER)
    stage_subject(staging, OTHER, "Gawain")

    learnt = store.publish(staging, OTHER, takes_over=True, replaces=ID)

    assert (learnt.name, learnt.warnings) == ("Gawain", [])
    assert store.list() == [learnt]
    assert store.find("hero").id == OTHER, "prompts of its first name still find it"
