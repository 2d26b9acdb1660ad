"""Run a job with a progress bar in the terminal; Ctrl-C cancels the job in the service."""

from __future__ import annotations

import sys
from typing import NoReturn
from uuid import uuid4

from tqdm import tqdm

from modelsheet.api.jobs import JobRequest, JobResult, JobView
from modelsheet.cli.output import printable
from modelsheet.client.client import BackendClient
from modelsheet.errors import Cancelled

_LIVE_INTERVAL_S = 0.2
_LOG_INTERVAL_S = 10.0  # in a file or a pipe each refresh is a line


def run_job(client: BackendClient, request: JobRequest, title: str) -> JobResult:
    """Submit a job, show its progress, and return its result.

    Raises the job's own error, and Cancelled after Ctrl-C.
    """
    interval = _LIVE_INTERVAL_S if sys.stderr.isatty() else _LOG_INTERVAL_S
    title = printable(title)
    bar: tqdm[NoReturn] = tqdm(desc=title, unit="step", mininterval=interval, dynamic_ncols=True)
    with bar:
        key = uuid4().hex
        try:
            job = client.submit(request, key=key)
            return client.wait(job.id, lambda view: _update_bar(bar, title, view))
        except KeyboardInterrupt:
            # Perhaps before the response came: the same key returns the same job.
            client.cancel(client.submit(request, key=key).id)
            raise Cancelled(f"{title}: cancelled, here and in the service.") from None


def _update_bar(bar: tqdm[NoReturn], title: str, view: JobView) -> None:
    progress = view.progress
    phase = view.state if view.state != "running" else printable(progress.phase)
    if view.state == "paused":
        reason = printable(view.error.sentence) if view.error is not None else "It is paused."
        bar.write(f"{reason} Go on with: modelsheet jobs resume {view.id}", file=sys.stderr)
    loss = "" if progress.loss is None else f"loss {progress.loss:.3f}"
    bar.set_description(f"{title} ({phase})", refresh=False)
    bar.set_postfix_str(loss, refresh=False)
    if progress.total:  # 0 for a waiting or finished job
        bar.total = progress.total
        bar.update(progress.step - bar.n)
