"""Report for a bug report: versions, connection, jobs, error codes; no tokens, names or prompts."""

from __future__ import annotations

import platform
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from ..backend.api_responses import API_MAJOR, JobView
from ..backend.connection_thread import ConnectionState
from ..qt import QtCore
from ..version import VERSION


def report(state: ConnectionState, jobs: Sequence[JobView], *, krita_version: str, url: str) -> str:
    """Return the report as text. `url`: of a remote backend, or empty."""
    location = f"remote by {urlsplit(url).scheme}" if url else "this computer"
    lines = [
        "Modelsheet",
        f"Krita {krita_version}, Qt {QtCore.qVersion()}, Python {sys.version.split()[0]}",
        f"{platform.system()} {platform.release()} {platform.machine()}",
        f"plugin {VERSION}, API {API_MAJOR}",
        f"backend: {location}, {state.phase}",
        *_backend(state),
        *_jobs(jobs),
    ]
    return "\n".join(lines) + "\n"


def _backend(state: ConnectionState) -> Iterable[str]:
    capabilities = state.capabilities
    if capabilities is None:
        return
    yield f"backend version {capabilities.version}, API {capabilities.api}"
    for model in capabilities.base_models:
        is_ready = "ready" if model.available else "not ready"
        yield f"base model of {model.family or 'unknown family'}: {is_ready}"


def _jobs(jobs: Sequence[JobView]) -> Iterable[str]:
    states = Counter(f"{job.kind} {job.state}" for job in jobs)
    for state, count in sorted(states.items()):
        yield f"jobs: {count} {state}"
    # Codes are the backend's own words; sentences may hold an artist's.
    for code, count in Counter(job.error.code for job in jobs if job.error).most_common():
        yield f"errors: {count} {code}"
