"""JobContext of a run on a machine without the service's disk: reports and files wait in an outbox
until a driver fetches them, the next driver if one died.
"""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

from modelsheet.api.jobs import Progress
from modelsheet.service.executors.job_context import LocalJobContext
from modelsheet.service.executors.protocol import (
    Failed,
    Finished,
    JobRun,
    Progressed,
    Report,
    StoppedEarly,
)
from modelsheet.service.executors.ray.job_files import Files, read_folder
from modelsheet.service.executors.ray.messages import CheckpointSaved, FromActor
from modelsheet.service.storage.blobs import BlobStore

_CHECKPOINT_INTERVAL_S = 0.5  # between checks for a new checkpoint
OutboxItem = tuple[int, str, Files]  # number, message as JSON, and the files that belong to it


class Outbox:
    """Messages for the driver, in order, kept until it acknowledges them. The last report of a run
    is kept until the next run: a driver may die before it has passed the report on.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: list[tuple[int, FromActor, Files]] = []
        self._number = 0

    def put(self, message: FromActor, files: Files) -> None:
        """Add a message; progress and checkpoints replace those that were not fetched yet."""
        with self._changed:
            for item in self._items:
                if type(item[1]) is type(message):
                    files = {**item[2], **files}
                    self._items.remove(item)
                    break
            if isinstance(message, CheckpointSaved):
                files = {name: files[name] for name in message.names if name in files}
            self._number += 1
            self._items.append((self._number, message, files))
            self._changed.notify_all()

    def clear(self) -> None:
        """Drop all messages."""
        with self._changed:
            self._items.clear()

    def read(self, after: int, wait_s: float) -> list[OutboxItem]:
        """Return the items after number `after`, which acknowledges that one and those before; wait
        up to `wait_s` seconds for the first.
        """
        with self._changed:
            self._items = [
                item for item in self._items if item[0] > after or _is_last_report(item[1])
            ]
            self._changed.wait_for(lambda: self._newest() > after, wait_s)
            fresh = [item for item in self._items if item[0] > after]
            return [(number, message.model_dump_json(), files) for number, message, files in fresh]

    def _newest(self) -> int:
        return self._items[-1][0] if self._items else 0


def _is_last_report(message: FromActor) -> bool:
    return not isinstance(message, Progressed | CheckpointSaved)


class TrackedBlobStore(BlobStore):
    """A blob store that collects the blobs that were written and not yet put into the outbox."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._unsent_blobs: Files = {}
        self._lock = threading.Lock()

    def write(self, content: bytes) -> str:
        sha256 = super().write(content)
        with self._lock:
            self._unsent_blobs[f"blobs/{sha256}"] = content
        return sha256

    def take_unsent(self) -> Files:
        """Return these blobs and forget them."""
        with self._lock:
            unsent, self._unsent_blobs = self._unsent_blobs, {}
        return unsent


class RayJobContext(LocalJobContext):
    """Send checkpoints to the service. They are looked for when the runner reports progress, on
    the runner's own thread, so that none is being written.
    """

    def __init__(self, run: JobRun, blobs: TrackedBlobStore, outbox: Outbox) -> None:
        super().__init__(run, blobs, self._report)
        self._tracked_blobs = blobs
        self._outbox = outbox
        self._checked_at = time.monotonic()
        self._sent_stamps = self._stamps()

    def progress(self, progress: Progress) -> None:
        super().progress(progress)
        if time.monotonic() - self._checked_at >= _CHECKPOINT_INTERVAL_S:
            self.send_checkpoint()

    def send_checkpoint(self) -> None:
        """Send the files that changed since the last checkpoint, if any."""
        self._checked_at = time.monotonic()
        stamps = self._stamps()
        if stamps == self._sent_stamps:
            return
        files = read_folder(self.checkpoint_dir)
        changed = {
            name: files[name] for name in files if stamps.get(name) != self._sent_stamps.get(name)
        }
        self._sent_stamps = stamps
        saved = CheckpointSaved(job_id=self.job_id, fence=self.fence, names=sorted(files))
        self._outbox.put(saved, changed)

    def finish(self, report: Report) -> None:
        """Send the last report, with the learnt subject's files."""
        if isinstance(report, Finished):
            files = read_folder(self.staging_dir, "staging/")
        else:
            self.send_checkpoint()
            files = {}
        self._report(report, files)

    def _report(self, report: Report, files: Files | None = None) -> None:
        assert isinstance(report, Progressed | Finished | Failed | StoppedEarly), (
            "only the service reports these"
        )
        self._outbox.put(report, {**self._tracked_blobs.take_unsent(), **(files or {})})

    def _stamps(self) -> dict[str, tuple[int, int]]:
        stamps = {}
        for path in self.checkpoint_dir.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file():
                    about = path.stat()
                    name = path.relative_to(self.checkpoint_dir).as_posix()
                    stamps[name] = (about.st_mtime_ns, about.st_size)
        return stamps
