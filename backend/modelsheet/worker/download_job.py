"""Run a download job: fetch a model from its hub into the data folder, whole or not at all. No
torch.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelsheet.api.jobs import Progress
from modelsheet.api.models import DownloadRequest, DownloadResult
from modelsheet.base_models.diffusers_folder import MODEL_INDEX, check_folder, size_of
from modelsheet.base_models.download_sources import DOWNLOAD_SOURCES, DownloadSource
from modelsheet.errors import Cancelled, DiskFull, DownloadFailed, ModelMissing
from modelsheet.files.manifest import sha256_of
from modelsheet.files.safetensors_file import read_header
from modelsheet.jobs.protocol import Directive, JobContext, JobSuspended
from modelsheet.module_process import module_command, search_path

_POLL_INTERVAL_S = 0.3
_ONNX = ".onnx"
_MEGABYTE = 1_000_000
_SPARE_BYTES = 200 * _MEGABYTE  # left free for the rest of the data folder
_OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")  # of worker processes


def download(
    request: DownloadRequest,
    context: JobContext,
    data_dir: Path,
    *,
    environment: Mapping[str, str],
) -> DownloadResult:
    """Fetch a model, unless it is there already.

    Raises DownloadFailed, DiskFull, Cancelled, JobSuspended. The bytes fetched by then are kept,
    and the next attempt resumes from there.
    """
    source = DOWNLOAD_SOURCES[request.model]
    target = source.target(data_dir)
    if not (target / source.mark).is_file():
        partial = source.partial(data_dir)
        partial.mkdir(parents=True, exist_ok=True)
        _fetch(source, partial, context, environment)
        _check(source, partial)
        context.progress(Progress(phase="comparing checksums"))
        _compare_checksums(source, partial)
        shutil.rmtree(target, ignore_errors=True)  # it is incomplete
        os.replace(partial, target)
    return DownloadResult(model=request.model, size_bytes=size_of(target))


def _fetch(
    source: DownloadSource, partial: Path, context: JobContext, environment: Mapping[str, str]
) -> None:
    log = context.checkpoint_dir / "fetch.jsonl"
    context.progress(Progress(phase="asking the hub"))
    with _fetch_process(source, partial, log, environment) as process:
        start, total = _Start(time.monotonic(), _fetched_bytes(partial)), 0
        while process.poll() is None:
            total = total or _total_bytes(log, partial)
            context.progress(_progress(_fetched_bytes(partial), total, start))
            _raise_if_stopped(context.directive())
            try:
                process.wait(_POLL_INTERVAL_S)
            except subprocess.TimeoutExpired:
                continue
    if process.returncode != 0:
        raise _failure(log)


@dataclass(frozen=True)
class _Start:
    """Start of this attempt: monotonic seconds, and the bytes fetched before."""

    time: float
    bytes: int


@contextmanager
def _fetch_process(
    source: DownloadSource, partial: Path, log: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the process that fetches, and kill it at the end of the block."""
    online = {key: value for key, value in environment.items() if key not in _OFFLINE_VARIABLES}
    online["HF_HUB_DISABLE_TELEMETRY"] = (
        "1"  # it would send more to the hub than requests for files
    )
    online |= search_path()
    command = module_command("modelsheet.base_models.hub_download")
    command += [source.repo, source.revision, str(partial), *source.patterns]
    with log.open("wb") as stdout, log.with_suffix(".err").open("wb") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=errors,
            env=online,
            cwd=log.parent,
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _raise_if_stopped(directive: Directive) -> None:
    if directive is Directive.CANCEL:
        raise Cancelled("The download was cancelled; it can go on from where it stopped.")
    if directive in (Directive.YIELD, Directive.PAUSE):
        raise JobSuspended


def _read_log(log: Path) -> list[dict[str, Any]]:
    """Read the complete lines that the process has written so far."""
    lines = log.read_text("utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _total_bytes(log: Path, partial: Path) -> int:
    """Return the size of all files, 0 before it is known. Raises DiskFull when they do not fit."""
    total = next((int(line["total"]) for line in _read_log(log) if "total" in line), 0)
    missing = total - _fetched_bytes(partial) + _SPARE_BYTES
    free = shutil.disk_usage(partial).free
    if total and missing > free:
        raise DiskFull(
            f"The model needs {missing // _MEGABYTE} MB more, and the data folder's disk has "
            f"{free // _MEGABYTE} MB. Free some space and resume."
        )
    return total


def _fetched_bytes(partial: Path) -> int:
    """Return the bytes fetched so far, including those of incomplete files."""
    try:
        return size_of(partial)
    except FileNotFoundError:  # a file was renamed while its size was asked for
        return 0


def _progress(done: int, total: int, start: _Start) -> Progress:
    if not total:
        return Progress(phase="asking the hub")
    done = min(done, total)
    speed = (done - start.bytes) / max(time.monotonic() - start.time, _POLL_INTERVAL_S)
    return Progress(
        phase=f"downloading {total / 1e9:.1f} GB (steps are MB)",
        step=done // _MEGABYTE,
        total=max(1, total // _MEGABYTE),
        fraction=done / total,
        eta_s=(total - done) / speed if speed > 0 else None,
    )


def _failure(log: Path) -> DownloadFailed:
    for line in _read_log(log):
        if "error" in line:
            return DownloadFailed(str(line["error"]))
    return DownloadFailed(
        "The download ended unexpectedly. Start it again; it goes on where it stopped."
    )


def _check(source: DownloadSource, partial: Path) -> None:
    """Check that the fetched files are complete. Raises ModelMissing, UnsafeModel."""
    if source.mark == MODEL_INDEX:
        check_folder(partial)
    elif source.mark.endswith(_ONNX):
        if not (partial / source.mark).is_file():
            raise ModelMissing(f"{source.repo} came without {source.mark}. Try again later.")
    else:
        read_header(partial / "model.safetensors")


def _compare_checksums(source: DownloadSource, partial: Path) -> None:
    """Compare the weights with the checksums that stand in our source; remove what differs.

    Raises DownloadFailed.
    """
    for name, sha256 in source.weights.items():
        if sha256_of(partial / name) != sha256:
            (partial / name).unlink()
            raise DownloadFailed(
                f"{name} of {source.repo} is not the file that Modelsheet knows, and was removed. "
                "If HF_ENDPOINT names a mirror, unset it, then start the download again."
            )
