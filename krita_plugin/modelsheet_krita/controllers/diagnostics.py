"""A text that says what is installed and what went wrong, without tokens, names or prompts."""

from __future__ import annotations

import platform
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from ..backend.api_responses import API_MAJOR, JobView
from ..backend.link_state import LinkState
from ..qt import QtCore


def report(state: LinkState, jobs: Sequence[JobView], *, krita_version: str, url: str) -> str:
    """`url`: of a remote backend, or nothing."""
    where = f"remote by {urlsplit(url).scheme}" if url else "this computer"
    lines = [
        "Modelsheet",
        f"Krita {krita_version}, Qt {QtCore.qVersion()}, Python {sys.version.split()[0]}",
        f"{platform.system()} {platform.release()} {platform.machine()}",
        f"plugin speaks API {API_MAJOR}",
        f"backend: {where}, {state.phase}",
        *_backend(state),
        *_jobs(jobs),
    ]
    return "\n".join(lines) + "\n"


def _backend(state: LinkState) -> Iterable[str]:
    capabilities = state.capabilities
    if capabilities is None:
        return
    yield f"backend version {capabilities.version}, API {capabilities.api}"
    for model in capabilities.base_models:
        yield f"base model of {model.family}: {'ready' if model.available else 'not ready'}"


def _jobs(jobs: Sequence[JobView]) -> Iterable[str]:
    states = Counter(f"{job.kind} {job.state}" for job in jobs)
    for what, count in sorted(states.items()):
        yield f"jobs: {count} {what}"
    # Codes are the backend's own words; sentences may hold an artist's.
    for code, count in Counter(job.error.code for job in jobs if job.error).most_common():
        yield f"errors: {count} {code}"
