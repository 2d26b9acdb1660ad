"""Collect the files that a job needs on a Ray worker without a shared disk, and write the files
that come back. Keyed by relative path.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from modelsheet.api.animate import AnimateRequest
from modelsheet.api.describe_images import DescribeRequest
from modelsheet.api.generate import GenerateRequest
from modelsheet.api.jobs import JobRequest
from modelsheet.api.learn import LearnRequest
from modelsheet.api.models import DownloadRequest
from modelsheet.base_models.locate import DEFAULT_BASE_MODEL
from modelsheet.errors import ModelsheetError
from modelsheet.files.manifest import MANIFEST_NAME, FileEntry, Manifest
from modelsheet.jobs.protocol import LoadedModels
from modelsheet.prompts.mentions import expand_prompt
from modelsheet.service.executors.protocol import JobRun
from modelsheet.service.storage.blobs import BlobStore
from modelsheet.subjects.record import RECORD, SubjectRecord, find_mentioned
from modelsheet.subjects.store import NAME, SubjectStore

Files = dict[str, bytes]
ModelRequest = LearnRequest | GenerateRequest | DescribeRequest
_NOUNS = "class_nouns.txt"


@dataclass(frozen=True)
class JobFiles:
    """Files of a run. `files` go below its folder. `subjects` are files by a key that identifies
    their content, sent only to actors that lack it. `needs` are the models that the job uses.
    """

    files: Files
    subjects: dict[str, Files] = field(default_factory=dict)
    needs: LoadedModels = LoadedModels()


def collect_job_files(run: JobRun, data_dir: Path) -> JobFiles:
    """Return the files that a job needs. Raises NotFound: an image is missing."""
    request = run.request
    blobs = BlobStore(data_dir / "blobs")
    files = {f"blobs/{sha}": blobs.read(sha) for sha in sorted(set(_blobs_in(request)))}
    files |= read_folder(Path(run.checkpoint_dir), "checkpoint/")
    if (data_dir / _NOUNS).is_file():
        files[_NOUNS] = (data_dir / _NOUNS).read_bytes()
    if isinstance(request, DownloadRequest):
        return JobFiles(files)
    store = SubjectStore(data_dir)
    named = _named(request, store, run.owner)
    subjects = dict(_full_files(store, record) for record in named)
    if not named:  # so that no other subject's identifier is chosen again
        subjects = dict(_record_files(record) for record in store.list())
    return JobFiles(files, subjects, models_needed(request, run.owner, data_dir))


def models_needed(request: JobRequest, owner: str, data_dir: Path) -> LoadedModels:
    """Return the models that a job of an artist uses."""
    if isinstance(request, DownloadRequest | AnimateRequest):
        return LoadedModels()
    return _needs(request, _named(request, SubjectStore(data_dir), owner))


def _needs(request: ModelRequest, named: Sequence[SubjectRecord]) -> LoadedModels:
    base = named[0].base_model if named else request.base_model or DEFAULT_BASE_MODEL
    return LoadedModels(base, tuple(one.adapter_sha256 for one in named if one.is_learnt))


def read_folder(folder: Path, prefix: str = "") -> Files:
    """Return the files below a folder by relative path, without those deleted meanwhile."""
    files = {}
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_file():
                files[prefix + path.relative_to(folder).as_posix()] = path.read_bytes()
        except FileNotFoundError:
            continue
    return files


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write each file by a rename, manifests last. Raises ValueError: a path leaves the folder."""
    for name in sorted(files, key=lambda name: (name.endswith(MANIFEST_NAME), name)):
        target = folder / name
        if not target.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{name!r} is no path below the folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".tmp-{uuid4().hex[:8]}")
        fresh.write_bytes(files[name])
        os.replace(fresh, target)


def keep_only(folder: Path, names: Iterable[str]) -> None:
    """Remove every file below a folder that is not among those names."""
    wanted = {folder / name for name in names}
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in wanted:
            path.unlink(missing_ok=True)


def _blobs_in(request: JobRequest) -> Iterator[str]:
    waiting: list[Any] = [request.model_dump()]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("blob"), str):
                yield value["blob"]
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _named(request: JobRequest, store: SubjectStore, owner: str) -> list[SubjectRecord]:
    """Return the subjects that a request mentions; none if it cannot be parsed, for which the
    worker has the better error.
    """
    if isinstance(request, AnimateRequest) and request.subject is not None:
        found = find_mentioned(request.subject.removeprefix("@"), store.list(owner or None))
        return [found] if found else []
    if not isinstance(request, GenerateRequest):
        return []
    named: dict[str, SubjectRecord] = {}
    subjects = store.list(owner or None)
    places = [region.prompt for region in request.regions]
    for prompt in (request.prompt, request.negative_prompt, *request.poses, *places):
        try:
            named |= {
                record.id: record for record in expand_prompt(prompt, subjects, owner).subjects
            }
        except ModelsheetError:
            return []
    return list(named.values())


def _full_files(store: SubjectStore, record: SubjectRecord) -> tuple[str, Files]:
    folder = store.folder(record.id)
    files = read_folder(folder, f"subjects/{record.id}/")
    content = (folder / MANIFEST_NAME).read_bytes() + files.get(f"subjects/{record.id}/{NAME}", b"")
    return f"{record.id}:{hashlib.sha256(content).hexdigest()}", files


def _record_files(record: SubjectRecord) -> tuple[str, Files]:
    """Return the key and files of a subject without its adapter: its name and identifier."""
    content = record.model_dump_json().encode()
    digest = hashlib.sha256(content).hexdigest()
    manifest = Manifest(files={RECORD: FileEntry(size=len(content), sha256=digest)})
    folder = f"subjects/{record.id}"
    files = {
        f"{folder}/{RECORD}": content,
        f"{folder}/{MANIFEST_NAME}": manifest.model_dump_json().encode(),
    }
    return f"{record.id}:{digest}", files
