"""A download job: a model from its hub into the data folder, whole or not there. No torch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelsheet.api.jobs import Progress
from modelsheet.api.models import DownloadRequest, DownloadResult
from modelsheet.base_models.diffusers_folder import check_folder, size_of
from modelsheet.base_models.download_sources import DOWNLOAD_SOURCES, DownloadSource
from modelsheet.errors import Cancelled, DiskFull, DownloadFailed, ModelMissing
from modelsheet.files.safetensors_file import read_header
from modelsheet.jobs.protocol import Directive, JobContext, SteppedAside

_TICK_S = 0.3
_GRAPH = ".onnx"
_MEGABYTE = 1_000_000
_SPARE_BYTES = 200 * _MEGABYTE  # left free for the rest of the data folder
_ONLINE_AGAIN = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")  # what keeps the worker off the net


def download(
    request: DownloadRequest,
    context: JobContext,
    data_dir: Path,
    *,
    environment: Mapping[str, str],
) -> DownloadResult:
    """Fetch a model; one that is there already is left alone.

    Raises DownloadFailed, DiskFull, Cancelled, SteppedAside. What was fetched by then is kept, and
    the next attempt goes on from there.
    """
    source = DOWNLOAD_SOURCES[request.model]
    target = source.target(data_dir)
    if not (target / source.mark).is_file():
        partial = source.partial(data_dir)
        partial.mkdir(parents=True, exist_ok=True)
        _fetch(source, partial, context, environment)
        _check(source, partial)
        shutil.rmtree(target, ignore_errors=True)  # it is not whole
        os.replace(partial, target)
    return DownloadResult(model=request.model, size_bytes=size_of(target))


def _fetch(
    source: DownloadSource, partial: Path, context: JobContext, environment: Mapping[str, str]
) -> None:
    log = context.checkpoint_dir / "fetch.jsonl"
    context.progress(Progress(phase="asking the hub"))
    with _fetching(source, partial, log, environment) as process:
        began, total = _Start(time.monotonic(), _fetched(partial)), 0
        while process.poll() is None:
            total = total or _total(log, partial)
            context.progress(_progress(_fetched(partial), total, began))
            _obey(context.directive())
            try:
                process.wait(_TICK_S)
            except subprocess.TimeoutExpired:
                continue
    if process.returncode != 0:
        raise _failure(log)


@dataclass(frozen=True)
class _Start:
    """When this attempt began, and what was there by then."""

    at: float
    bytes: int


@contextmanager
def _fetching(
    source: DownloadSource, partial: Path, log: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the fetching process; it does not outlive the block."""
    online = {key: value for key, value in environment.items() if key not in _ONLINE_AGAIN}
    online["HF_HUB_DISABLE_TELEMETRY"] = "1"  # it would ask the hub for more than the files
    online["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    command = [sys.executable, "-m", "modelsheet.base_models.hub_download"]
    command += [source.repo, source.revision, str(partial), *source.files]
    with log.open("wb") as said, log.with_suffix(".err").open("wb") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=errors, env=online, cwd=partial
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _obey(directive: Directive) -> None:
    if directive is Directive.CANCEL:
        raise Cancelled("The download was cancelled; it can go on from where it stopped.")
    if directive in (Directive.YIELD, Directive.PAUSE):
        raise SteppedAside


def _said(log: Path) -> list[dict[str, Any]]:
    """The whole lines that the fetching process wrote so far."""
    lines = log.read_text("utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _total(log: Path, partial: Path) -> int:
    """The size of all files in bytes, 0 before it is known. Raises DiskFull: it does not fit."""
    total = next((int(line["total"]) for line in _said(log) if "total" in line), 0)
    missing = total - _fetched(partial) + _SPARE_BYTES
    free = shutil.disk_usage(partial).free
    if total and missing > free:
        raise DiskFull(
            f"The model needs {missing // _MEGABYTE} MB more, and the data folder's disk has "
            f"{free // _MEGABYTE} MB. Free some space and resume."
        )
    return total


def _fetched(partial: Path) -> int:
    """Bytes so far, those of a file under way included."""
    try:
        return size_of(partial)
    except FileNotFoundError:  # a file was renamed while its size was asked for
        return 0


def _progress(done: int, total: int, began: _Start) -> Progress:
    if not total:
        return Progress(phase="asking the hub")
    done = min(done, total)
    speed = (done - began.bytes) / max(time.monotonic() - began.at, _TICK_S)
    return Progress(
        phase=f"downloading {total / 1e9:.1f} GB (steps are MB)",
        step=done // _MEGABYTE,
        total=max(1, total // _MEGABYTE),
        fraction=done / total,
        eta_s=(total - done) / speed if speed > 0 else None,
    )


def _failure(log: Path) -> DownloadFailed:
    for line in _said(log):
        if "error" in line:
            return DownloadFailed(str(line["error"]))
    return DownloadFailed(
        "The download ended unexpectedly. Start it again; it goes on where it stopped."
    )


def _check(source: DownloadSource, partial: Path) -> None:
    """Raises ModelMissing, UnsafeModel: what the hub gave is not whole."""
    if (partial / "unet").is_dir():
        check_folder(partial)
    elif source.mark.endswith(_GRAPH):
        if not (partial / source.mark).is_file():  # its checksum was compared
            raise ModelMissing(f"{source.repo} came without {source.mark}. Try again later.")
    else:
        read_header(partial / "model.safetensors")
