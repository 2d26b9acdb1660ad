"""Store of subjects: a folder each, published by one rename after its manifest is written.

<data>/subjects/<id>/         subject.json, adapter.safetensors once learnt, ..., MANIFEST.json
<data>/subjects/.staging-*    being written; never listed
<data>/trash/<time>-<id>/     deleted subjects
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import chain, count
from pathlib import Path
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError

from modelsheet.api.subjects import SubjectView
from modelsheet.api.types import SubjectName
from modelsheet.errors import (
    Conflict,
    InvalidRequest,
    ModelsheetError,
    NotFound,
    UnsafeModel,
)
from modelsheet.files.json_file import read_json_object
from modelsheet.files.manifest import fsync, read_manifest, sha256_of, write_manifest
from modelsheet.subjects.handles import handle_of, require_handle
from modelsheet.subjects.record import (
    IMPORTED,
    RECORD,
    SubjectRecord,
    find_mentioned,
    read_record,
    write_record,
)

_log = logging.getLogger(__name__)

ADAPTER = "adapter.safetensors"
NAME = "name.txt"
_STAGING = ".staging-"
_NAME_LENGTH = 70  # letters before the number of a name that was taken
_SUBJECT_NAME: TypeAdapter[str] = TypeAdapter(SubjectName)


class SubjectStore:
    """The subjects' folders in the data folder; those without a valid manifest are ignored.

    Changes are made one at a time, so that no owner gets two subjects of one handle.
    """

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "subjects"
        self._trash = data_dir / "trash"
        self._changing = threading.Lock()

    def list(self, owner: str | None = None) -> list[SubjectRecord]:
        """Return the subjects of one owner, or all of them, newest first."""
        if not self._root.is_dir():
            return []
        folders = (path for path in self._root.iterdir() if not path.name.startswith("."))
        found = [record for folder in folders if (record := _read(folder)) is not None]
        records = [record for record in found if owner in (None, record.owner)]
        return sorted(records, key=lambda record: (record.created, record.id), reverse=True)

    def get(self, subject_id: str) -> SubjectRecord:
        """Return a subject's record by its id. Raises NotFound."""
        record = _read(self._folder(subject_id))
        if record is None:
            raise NotFound(f"There is no subject {subject_id}; it may have been deleted.")
        return record

    def find(self, handle_or_identifier: str, owner: str | None = None) -> SubjectRecord:
        """Return the newest subject of that handle (with or without @) or identifier; of one owner,
        or of all.

        Raises NotFound.
        """
        mention = handle_or_identifier.removeprefix("@")
        found = find_mentioned(mention, self.list(owner))
        if found is not None:
            return found
        raise NotFound(f"There is no subject called {mention!r}; list the subjects to see them.")

    def adapter_path(self, subject_id: str) -> Path:
        """Return the path of the adapter, checked against the manifest.

        Raises NotFound, UnsafeModel. InvalidRequest: it is not learnt yet.
        """
        record = self.get(subject_id)
        if not record.is_learnt:
            raise InvalidRequest(
                f"@{record.handle} is not learnt yet, so there is no file of it. Learn it first."
            )
        path = self._folder(subject_id) / ADAPTER
        entry = read_manifest(path.parent).files.get(ADAPTER)
        if entry is None or not path.is_file():
            raise NotFound(f"The subject {subject_id} has no adapter; learn it again.")
        if sha256_of(path) != entry.sha256:
            raise UnsafeModel(
                f"{path} is not what was learnt: its checksum is wrong. Learn the subject again."
            )
        return path

    def stage(self, job_id: str) -> Path:
        """Create an empty staging folder for a learn job."""
        staging = self._root / f"{_STAGING}{job_id}-{uuid4().hex[:8]}"
        staging.mkdir(parents=True)
        return staging

    def publish(
        self,
        staging: Path,
        subject_id: str,
        owner: str = "",
        *,
        takes_over: bool = False,
        replaces: str = "",
    ) -> SubjectRecord:
        """Publish a staged subject as its owner's by one rename; a published one stays as it is.

        If the owner has a subject of its handle already, it gets the next free name, "Hero 2", and
        a warning that says so. If it `takes_over`, one of its handle that is not learnt yet goes to
        the trash, and its present name is kept; so does the owner's subject that it `replaces`.

        Raises ModelsheetError: the staging folder holds no subject of that id.
        """
        with self._changing:
            target = self._folder(subject_id)
            published = _read(target)
            if published is not None:
                shutil.rmtree(staging, ignore_errors=True)
                return published
            others = [one for one in self.list() if one.owner == owner]
            record = _check_staged(staging, subject_id)
            former = next((one for one in others if one.id == replaces), None)
            if former is None and takes_over:
                former = _taken_over(record, others)
            if former is not None:
                others.remove(former)
                name = record.name if former.is_learnt else former.name
                formerly = [former.handle, *former.formerly]
                record = record.model_copy(update={"name": name, "formerly": formerly})
            record = _with_free_name(record, others)
            write_record(staging, record.model_copy(update={"owner": owner}))
            write_manifest(staging)
            if former is not None:
                self._move_to_trash(self._folder(former.id))
            if target.exists():  # damaged: it has no valid manifest
                self._move_to_trash(target)
            os.rename(staging, target)
            fsync(self._root)
            return self.get(subject_id)

    def trash(self, subject_id: str) -> None:
        with self._changing:
            self.owner(subject_id)
            self._move_to_trash(self._folder(subject_id))

    def owner(self, subject_id: str) -> str:
        """Return the owner of a subject, "" where its record does not say. Raises NotFound."""
        folder = self._folder(subject_id)
        if not folder.is_dir():
            raise NotFound(f"There is no subject {subject_id}; it may have been deleted.")
        try:
            owner = read_json_object(folder / RECORD).get("owner")
        except (OSError, ValueError):
            return ""
        return owner if isinstance(owner, str) else ""

    def rename(self, subject_id: str, name: str) -> SubjectRecord:
        """Rename a subject.

        The files in the manifest stay unchanged: the new name is written to name.txt, before the
        former ones, by one rename of the file.

        Raises NotFound. InvalidRequest: the name has no handle. Conflict: its owner has another
        subject of that handle.
        """
        require_handle(name)
        with self._changing:
            self.require_free_handle(name, self.get(subject_id).owner, but=subject_id)
            target = self._folder(subject_id) / NAME
            fresh = target.with_name(f".{NAME}-{uuid4().hex}")
            names = [" ".join(name.split()), *_given_names(target.parent)]
            fresh.write_text("\n".join(dict.fromkeys(names)), encoding="utf-8")
            fsync(fresh)
            os.replace(fresh, target)
            fsync(target.parent)
            return self.get(subject_id)

    def require_free_handle(
        self, name: str, owner: str, but: str = "", *, takes_over: bool = False
    ) -> None:
        """Raise Conflict if another subject than `but` of that owner has the name's handle; where
        it `takes_over`, one that is not learnt yet may have it.
        """
        others = [one for one in self.list() if one.owner == owner and one.id != but]
        others = [one for one in others if one.is_learnt or not takes_over]
        if handle_of(name) in {one.handle for one in others}:
            raise Conflict(f"There is a subject @{handle_of(name)} already. Choose another name.")

    def discard_staged(self) -> None:
        """Remove the staging folders of unfinished jobs; call only while no job runs."""
        for staging in self._root.glob(f"{_STAGING}*"):
            shutil.rmtree(staging, ignore_errors=True)

    def views(self, records: Iterable[SubjectRecord]) -> Iterator[SubjectView]:
        """Yield the views of the records, without those that cannot be shown."""
        for record in records:
            try:
                yield record.view()
            except ValidationError:
                _log.warning("The subject %s is left out: it cannot be shown", record.id)

    def folder(self, subject_id: str) -> Path:
        """Return the folder of a published subject. Raises NotFound."""
        self.get(subject_id)
        return self._folder(subject_id)

    def _folder(self, subject_id: str) -> Path:
        if not re.fullmatch(r"[0-9a-f-]{1,64}", subject_id):
            raise NotFound("A subject's id has only the characters 0-9, a-f and -.")
        return self._root / subject_id

    def _move_to_trash(self, folder: Path) -> None:
        self._trash.mkdir(parents=True, exist_ok=True)
        os.rename(folder, self._trash / f"{time.time_ns()}-{folder.name}")


def _read(folder: Path) -> SubjectRecord | None:
    """Return the subject of a folder, None if its files do not match its manifest."""
    try:
        manifest = read_manifest(folder)
        for name, entry in manifest.files.items():
            if (folder / name).stat().st_size != entry.size:
                raise ValueError(f"{name} has not the size it had")
        content = (folder / RECORD).read_bytes()
        if hashlib.sha256(content).hexdigest() != manifest.files[RECORD].sha256:
            raise ValueError(f"{RECORD} was changed")
        record = SubjectRecord.model_validate_json(content)
        name, *older = [*_given_names(folder), record.name]
        _SUBJECT_NAME.validate_python(name)
        handles = dict.fromkeys([*map(handle_of, older), *record.formerly])
        formerly = [handle for handle in handles if handle != handle_of(name)]
        is_imported = record.is_imported or record.preset == IMPORTED
        return record.model_copy(
            update={"name": name, "formerly": formerly, "is_imported": is_imported}
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, OSError, ValidationError) as error:
        _log.warning("The subject in %s is left out: %s", folder, type(error).__name__)
        return None


def _with_free_name(record: SubjectRecord, others: Iterable[SubjectRecord]) -> SubjectRecord:
    taken = {other.handle for other in others}
    if record.handle not in taken:
        return record
    names = (f"{record.name[:_NAME_LENGTH]} {number}" for number in count(2))
    name = next(name for name in names if handle_of(name) not in taken)
    warning = f"There is a subject @{record.handle} already: this one is @{handle_of(name)}."
    return record.model_copy(update={"name": name, "warnings": [*record.warnings, warning]})


def _taken_over(record: SubjectRecord, others: Iterable[SubjectRecord]) -> SubjectRecord | None:
    """Return the subject of its handle that is not learnt yet, else of its pictures, renamed."""
    unlearnt = [one for one in others if not one.is_learnt]
    same = (one for one in unlearnt if one.handle == record.handle)
    renamed = (one for one in unlearnt if record.handle in one.formerly)
    pictured = (one for one in renamed if one.blobs == record.blobs)
    return next(chain(same, pictured), None)


def _given_names(folder: Path) -> list[str]:
    """Return the names given by renaming, newest first."""
    try:
        return (folder / NAME).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def _check_staged(staging: Path, subject_id: str) -> SubjectRecord:
    try:
        record = read_record(staging)
    except (OSError, ValidationError) as error:
        raise ModelsheetError(
            f"The worker left no valid {RECORD}, so there is no subject. Learn it again."
        ) from error
    if record.id != subject_id or record.is_learnt != (staging / ADAPTER).is_file():
        raise ModelsheetError(
            f"The worker left no adapter, or a subject of another id ({record.id}). Learn it again."
        )
    return record
