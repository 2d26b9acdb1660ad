"""Command jobs: list and control jobs, and hold, open or end the queue."""

from __future__ import annotations

import argparse
import re
import time

from modelsheet.api.admin import (
    StatsView,
    WorkloadView,
)
from modelsheet.api.jobs import JobView, MoveRequest, QueueRequest, QueueState, QueueView
from modelsheet.cli.connect import Say, connect
from modelsheet.client.client import BackendClient
from modelsheet.errors import NotFound

JOB_ACTIONS = (
    *("list", "stats", "cancel", "pause", "resume", "finish", "move", "hold", "open", "end"),
)
_QUEUE_STATES: dict[str, QueueState] = {"hold": "held", "open": "open", "end": "ending"}
_QUEUE_SENTENCES: dict[QueueState, str] = {
    "open": "Jobs are started as they come.",
    "held": "No job is started until: modelsheet jobs open",
    "ending": "The service ends after the job that runs.",
}


def jobs(arguments: argparse.Namespace, say: Say) -> int:
    """List jobs, act on one, or set the state of the queue."""
    with connect(arguments) as client:
        if arguments.action == "list":
            (_show_workload if arguments.all else _list_jobs)(client, say)
        elif arguments.action == "stats":
            _show_stats(client.call("GET", "/v1/stats", StatsView), say)
        elif arguments.action in _QUEUE_STATES:
            request = QueueRequest(state=_QUEUE_STATES[arguments.action])
            say(_QUEUE_SENTENCES[client.call("PUT", "/v1/queue", QueueView, request).state])
        else:
            view = _act(client, arguments)
            say(f"{view.id}  {view.state}")
    return 0


def _act(client: BackendClient, arguments: argparse.Namespace) -> JobView:
    job_id = _job_id(arguments.id)
    path = f"/v1/jobs/{job_id}/{arguments.action}"
    if arguments.action != "move":
        return client.call("POST", path, JobView)
    before = _job_id(arguments.before) if arguments.before else None
    return client.call("POST", path, JobView, MoveRequest(before=before))


def _list_jobs(client: BackendClient, say: Say) -> None:
    queue = client.call("GET", "/v1/queue", QueueView)
    for view in client.jobs():
        state: str = "stalled" if view.stalled else view.state
        if view.id in queue.waiting:
            state = f"{queue.waiting.index(view.id) + 1}. in line"
        owner = f"{view.owner}: " if view.owner else ""
        say(f"{view.id}  {state:11} {view.progress.fraction:4.0%}  {owner}{view.title}")
        if view.error is not None:
            say(f"{'':38}{view.error.sentence}")
    if queue.state != "open":
        say(_QUEUE_SENTENCES[queue.state])


def _show_workload(client: BackendClient, say: Say) -> None:
    workload = client.call("GET", "/v1/studio", WorkloadView)
    known = {view.id: view for view in client.jobs()}
    say(f"{len(workload.workers)} at work or ready:")
    for worker in workload.workers:
        job = known.get(worker.job_id)
        what = f"{_owner_name(job.owner)}, {job.kind}: {job.title}" if job else "free"
        say(f"  {worker.name:28} {what}")
    say(f"{len(workload.waiting)} waiting:")
    for wait in workload.waiting:
        since = _format_duration(time.time() - wait.since)
        say(f"  {_owner_name(wait.owner):16} {wait.kind:8} {since:>8}  for {wait.reason}")
    say("Had since the service began:")
    for artist in workload.artists:
        counts = f"{artist.running} running, {artist.waiting} waiting"
        say(f"  {_owner_name(artist.name):16} {_format_duration(artist.used_s):>8}  {counts}")


def _show_stats(stats: StatsView, say: Say) -> None:
    since = "" if stats.since is None else f" since {format_time(stats.since)}"
    say(f"Jobs{since}; {stats.free_bytes / 2**30:.1f} GiB free on the disk of the data folder")
    for kind in stats.kinds:
        states = ", ".join(f"{count} {state}" for state, count in kind.states.items())
        lost = f", {kind.lost} attempts lost" if kind.lost else ""
        say(f"  {kind.kind:8} {states}{lost}")
        if kind.wait_s is not None and kind.run_s is not None:
            say(f"{'':11}half waited under {kind.wait_s:.1f} s and took under {kind.run_s:.1f} s")


def format_time(moment: float) -> str:
    """Format a Unix time as local date and time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))


def _owner_name(owner: str) -> str:
    return owner or "(you)"


def _format_duration(seconds: float) -> str:
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _job_id(given: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", given):
        raise NotFound("Say which job by its id; list them with: modelsheet jobs")
    return given
