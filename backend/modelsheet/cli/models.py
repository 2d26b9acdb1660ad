"""Command models: list, add, remove and download models."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from urllib.parse import quote

from modelsheet.api.models import (
    AddModelRequest,
    DownloadRequest,
    DownloadResult,
    ModelList,
    ModelView,
)
from modelsheet.api.system import Empty
from modelsheet.base_models.download_sources import DOWNLOAD_SOURCES
from modelsheet.cli.connect import Say, connect
from modelsheet.cli.progress import run_job
from modelsheet.client.client import BackendClient
from modelsheet.errors import InvalidRequest

ACTIONS = ("list", "add", "download", "remove")


def models(arguments: argparse.Namespace, say: Say) -> int:
    """Run one action of the command."""
    actions = {"list": _list, "add": _add, "download": _download, "remove": _remove}
    with connect(arguments) as client:
        actions[arguments.action](client, arguments, say)
    return 0


def _list(client: BackendClient, arguments: argparse.Namespace, say: Say) -> None:
    for model in client.call("GET", "/v1/models", ModelList).models:
        _show(model, say)


def _show(model: ModelView, say: Say) -> None:
    size = f"{model.size_bytes / 1e9:.2f} GB"
    family = model.family or ("unreadable" if model.kind == "base" else model.kind)
    say(f"{model.id:24} {family:10} {model.state:8} {size:>9}  {model.licence}")
    if model.note:
        say(f"    {model.note}")


def _add(client: BackendClient, arguments: argparse.Namespace, say: Say) -> None:
    if not arguments.target:
        raise InvalidRequest("Say what to add: a model's folder, a .safetensors file, or ComfyUI.")
    request = AddModelRequest(
        path=_absolute_path(arguments.target, arguments),
        name=arguments.called,
        config=_absolute_path(arguments.config, arguments) if arguments.config else "",
        prediction_type=arguments.prediction_type,
    )
    for model in client.call("POST", "/v1/models", ModelList, request).models:
        _show(model, say)


def _absolute_path(path: str, arguments: argparse.Namespace) -> str:
    """Make a path absolute, unless it is one of another computer's service."""
    return path if arguments.server else str(Path(os.path.expanduser(path)).absolute())


def _download(client: BackendClient, arguments: argparse.Namespace, say: Say) -> None:
    model = next((known for known in DOWNLOAD_SOURCES if known == arguments.target), None)
    if model is None:
        raise InvalidRequest(f"Say what to download: {', '.join(DOWNLOAD_SOURCES)}.")
    source = DOWNLOAD_SOURCES[model]
    say(f"{source.repo}: about {source.size_bytes / 1e9:.1f} GB. Licence: {source.licence}.")
    if not source.is_pinned:
        say("No revision of it is pinned: the newest one is taken, recorded in its hub.json, and")
        say("compared with the hub's own checksums.")
    result = run_job(client, DownloadRequest(model=model), f"Downloading {model}")
    assert isinstance(result, DownloadResult)
    say(f"{model} is here: {result.size_bytes / 1e9:.2f} GB.")


def _remove(client: BackendClient, arguments: argparse.Namespace, say: Say) -> None:
    if not arguments.target:
        raise InvalidRequest("Say which one: modelsheet models remove NAME")
    client.call("DELETE", f"/v1/models?name={quote(arguments.target, safe='')}", Empty)
    say(f"{arguments.target} is off the list; its files are where they were.")
