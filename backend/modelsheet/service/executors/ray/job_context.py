"""An attempt on a machine that shares no disk with the service: what it says and writes is kept
until the driver asks for it, the next one if the last one died.
"""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

from modelsheet.api.jobs import Progress
from modelsheet.service.executors.job_context import Attempt
from modelsheet.service.executors.protocol import (
    Advanced,
    Assignment,
    Failed,
    Finished,
    Report,
    StoppedEarly,
)
from modelsheet.service.executors.ray.job_files import Files, read_folder
from modelsheet.service.executors.ray.messages import FromActor, Kept
from modelsheet.service.storage.blobs import BlobStore

_KEEP_INTERVAL_S = 0.5  # between looks for a new checkpoint
Item = tuple[int, str, Files]  # number, message as JSON, and the files that belong to it


class Outbox:
    """News for the driver, in order, kept until it says that it has them. The last word of a job is
    kept until the next job: whoever asks may have died before writing it down.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: list[tuple[int, FromActor, Files]] = []
        self._number = 0

    def put(self, message: FromActor, files: Files) -> None:
        """Add news; progress and checkpoints replace those that nobody has asked for yet."""
        with self._changed:
            for item in self._items:
                if type(item[1]) is type(message):
                    files = {**item[2], **files}
                    self._items.remove(item)
                    break
            if isinstance(message, Kept):
                files = {name: files[name] for name in message.names if name in files}
            self._number += 1
            self._items.append((self._number, message, files))
            self._changed.notify_all()

    def clear(self) -> None:
        with self._changed:
            self._items.clear()

    def read(self, after: int, wait_s: float) -> list[Item]:
        with self._changed:
            self._items = [
                item for item in self._items if item[0] > after or _is_last_word(item[1])
            ]
            self._changed.wait_for(lambda: self._newest() > after, wait_s)
            fresh = [item for item in self._items if item[0] > after]
            return [(number, said.model_dump_json(), files) for number, said, files in fresh]

    def _newest(self) -> int:
        return self._items[-1][0] if self._items else 0


def _is_last_word(message: FromActor) -> bool:
    return not isinstance(message, Advanced | Kept)


class SentBlobs(BlobStore):
    """Remembers what was written since the driver was last told."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._fresh: Files = {}
        self._lock = threading.Lock()

    def write(self, content: bytes) -> str:
        sha256 = super().write(content)
        with self._lock:
            self._fresh[f"blobs/{sha256}"] = content
        return sha256

    def take_fresh(self) -> Files:
        with self._lock:
            fresh, self._fresh = self._fresh, {}
        return fresh


class RemoteAttempt(Attempt):
    """An attempt whose checkpoints are sent home: looked for when the runner speaks, on its own
    thread, so that it is not writing one.
    """

    def __init__(self, assignment: Assignment, blobs: SentBlobs, outbox: Outbox) -> None:
        super().__init__(assignment, blobs, self._report)
        self._sent_blobs = blobs
        self._outbox = outbox
        self._looked_at = time.monotonic()
        self._known = self._stamps()

    def progress(self, progress: Progress) -> None:
        super().progress(progress)
        if time.monotonic() - self._looked_at >= _KEEP_INTERVAL_S:
            self.send_checkpoint()

    def send_checkpoint(self) -> None:
        """Send the files that are new since the last time, if any."""
        self._looked_at = time.monotonic()
        stamps = self._stamps()
        if stamps == self._known:
            return
        files = read_folder(self.checkpoint_dir)
        changed = {name: files[name] for name in files if stamps.get(name) != self._known.get(name)}
        self._known = stamps
        kept = Kept(job_id=self.job_id, fence=self.fence, names=sorted(files))
        self._outbox.put(kept, changed)

    def finish(self, report: Report) -> None:
        """Send the last word, and what was learnt with it."""
        if isinstance(report, Finished):
            files = read_folder(self.staging_dir, "staging/")
        else:
            self.send_checkpoint()
            files = {}
        self._report(report, files)

    def _report(self, report: Report, files: Files | None = None) -> None:
        assert isinstance(report, Advanced | Finished | Failed | StoppedEarly), "said of others"
        self._outbox.put(report, {**self._sent_blobs.take_fresh(), **(files or {})})

    def _stamps(self) -> dict[str, tuple[int, int]]:
        stamps = {}
        for path in self.checkpoint_dir.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file():
                    about = path.stat()
                    name = path.relative_to(self.checkpoint_dir).as_posix()
                    stamps[name] = (about.st_mtime_ns, about.st_size)
        return stamps
