"""Download files from the Hugging Face hub in a process of its own.

The worker itself stays offline, and a download is cancelled by ending this process. Progress is
written to standard output as lines of JSON. huggingface_hub lists the files; it no longer resumes
a partial file, so they are downloaded here. The revision that a name such as "main" stood for, and
the hub's checksums, are recorded beside the files; a download that goes on keeps that revision.

`hub_download REPO REVISION FOLDER PATTERN...` runs as a module.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Sequence
from fnmatch import fnmatch
from http import HTTPStatus
from pathlib import Path
from typing import cast

import requests
from huggingface_hub import HfApi, get_token, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import RepoSibling

from modelsheet.files.json_file import read_json_object
from modelsheet.files.manifest import sha256_of

# Base class of the errors of the HTTP library that huggingface_hub uses.
_HTTP_ERROR = cast("type[Exception]", HfHubHTTPError.__mro__[1])
_FAILURES = (OSError, ValueError, _HTTP_ERROR)
_RECORD = "hub.json"
_COMMIT = re.compile("[0-9a-f]{40}")
_WEIGHTS = ".safetensors"
_CHUNK = 1 << 20  # bytes
_TIMEOUT_S = (10.0, 30.0)  # to connect, and between two bytes
_ATTEMPTS = 5
# Of plain parts, none of them hidden or a way up: a file stays in its folder.
_SAFE_NAME = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*/)*[A-Za-z0-9_][A-Za-z0-9._-]*")


def main(arguments: Sequence[str]) -> int:
    """Download the files and return the exit code; a failure is reported as a sentence."""
    repo, revision, folder, *patterns = arguments
    try:
        _download(repo, revision, Path(folder), patterns)
    except _FAILURES as error:
        _report(error=_error_sentence(error, repo))
        return 1
    _report(done=True)
    return 0


def _end_with_parent() -> None:
    """End the process when its standard input ends: the worker has died."""
    while os.read(0, 1):  # not through the buffer, whose lock the end of Python wants
        continue
    os._exit(1)


def _download(repo: str, revision: str, folder: Path, patterns: Sequence[str]) -> None:
    revision = _recorded_revision(folder) or revision
    found = HfApi().model_info(repo, revision=revision, files_metadata=True)
    files = [
        each
        for each in found.siblings or []
        if any(fnmatch(each.rfilename, pattern) for pattern in patterns)
    ]
    if not files:
        raise ValueError(f"{repo} has none of the files that are needed")
    for each in files:
        if not _SAFE_NAME.fullmatch(each.rfilename) or each.size is None:
            raise ValueError(f"The hub names a file that cannot be: {each.rfilename!r}")
        if each.rfilename.endswith(_WEIGHTS) and each.lfs is None:
            raise ValueError(f"The hub gives no checksum of {each.rfilename}")
    if not _COMMIT.fullmatch(revision):
        revision = found.sha or revision
        _record(folder, repo, revision, files)
    _report(total=sum(each.size or 0 for each in files))
    for each in files:
        path = folder / each.rfilename
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _download_file(hf_hub_url(repo, each.rfilename, revision=revision), path, each)


def _recorded_revision(folder: Path) -> str:
    """Return the revision that an earlier attempt began with, "" where there was none."""
    try:
        return str(read_json_object(folder / _RECORD)["revision"])
    except (OSError, ValueError, KeyError):
        return ""


def _record(folder: Path, repo: str, revision: str, files: Sequence[RepoSibling]) -> None:
    sums = {each.rfilename: each.lfs.sha256 for each in files if each.lfs is not None}
    content = json.dumps({"repo": repo, "revision": revision, "sha256": sums}, indent=1)
    (folder / _RECORD).write_text(content + "\n", "utf-8")


def _download_file(url: str, path: Path, file: RepoSibling) -> None:
    """Download one file through a `.part` file, which a later attempt resumes.

    Raises ValueError: size or checksum are not what the hub said; the file is removed.
    """
    part = path.with_name(path.name + ".part")
    for _ in range(_ATTEMPTS):
        before = _size(part)
        try:
            _append(url, part, file.size or 0)
            break
        except (requests.ConnectionError, requests.Timeout):
            if _size(part) == before:
                raise
    if not _is_intact(part, file):
        part.unlink()
        raise ValueError(f"{file.rfilename} arrived damaged")
    os.replace(part, path)


def _append(url: str, part: Path, size: int) -> None:
    """Download the rest of a file, with an HTTP range request where a part exists; stop after one
    byte more than its size.
    """
    token = get_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    start = _size(part)
    if start:
        headers["Range"] = f"bytes={start}-"
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer:
        if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # the part is complete
        answer.raise_for_status()
        resumes = answer.status_code == HTTPStatus.PARTIAL_CONTENT
        with part.open("ab" if resumes else "wb") as stream:
            for block in answer.iter_content(_CHUNK):
                stream.write(block[: size + 1 - stream.tell()])
                if stream.tell() > size:
                    return


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is_intact(part: Path, file: RepoSibling) -> bool:
    if _size(part) != file.size:
        return False
    return file.lfs is None or sha256_of(part) == file.lfs.sha256


def _error_sentence(error: Exception, repo: str) -> str:
    answer = getattr(error, "response", None)
    status = getattr(answer, "status_code", None)
    if status in (401, 403):
        return f"The hub does not give {repo} to everybody: accept its licence there first."
    if status == 404:
        return f"The hub has no {repo} of the version wanted; update Modelsheet."
    if status is not None:
        return f"The hub answers with an error ({status}). Try again later."
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return f"{error}. Try again."
    return (
        "The hub cannot be reached. Check the network and start the download again; it goes on "
        "where it stopped. Or copy the model from another computer."
    )


def _report(**fields: object) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(main(sys.argv[1:]))
