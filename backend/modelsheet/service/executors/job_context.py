"""Run a job with a runner: the JobContext over local folders, and the report of each way to end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from modelsheet.api.jobs import JobError, Progress
from modelsheet.errors import Cancelled, ModelsheetError, OutOfMemory, is_disk_full
from modelsheet.jobs.protocol import Directive, JobSuspended, Runner
from modelsheet.service.executors.protocol import (
    DISK_FULL,
    Failed,
    Finished,
    JobRun,
    Progressed,
    Report,
    StoppedEarly,
)
from modelsheet.service.storage.blobs import BlobStore

_log = logging.getLogger(__name__)
_REPORT_INTERVAL_S = 0.05
_NO_MEMORY_OF_TORCH = "can't allocate memory"  # a RuntimeError, on the CPU


class LocalJobContext:
    """The JobContext of one run on this machine. `send` takes reports; steps faster than 20 a
    second are reported together.
    """

    def __init__(self, run: JobRun, blobs: BlobStore, send: Callable[[Report], None]) -> None:
        self.run = run
        self.job_id, self.fence, self.owner = run.job_id, run.fence, run.owner
        self.checkpoint_dir, self.staging_dir = Path(run.checkpoint_dir), Path(run.staging_dir)
        self._blobs = blobs
        self._send = send
        self._directive = Directive.RUN
        self._lock = threading.Lock()
        self._unsent: Progress | None = None
        self._sent: Progress | None = None
        self._sent_at = float("-inf")

    def progress(self, progress: Progress) -> None:
        with self._lock:
            self._unsent = progress
            has_news = self._sent is None or (
                (progress.phase, progress.curve, progress.previews)
                != (self._sent.phase, self._sent.curve, self._sent.previews)
            )
            if has_news or time.monotonic() - self._sent_at >= _REPORT_INTERVAL_S:
                self._flush()

    def flush(self) -> None:
        """Send the progress that was held back."""
        with self._lock:
            self._flush()

    def directive(self) -> Directive:
        return self._directive

    def tell(self, directive: Directive) -> None:
        self._directive = directive

    def read_blob(self, sha256: str) -> bytes:
        return self._blobs.read(sha256)

    def write_blob(self, content: bytes) -> str:
        return self._blobs.write(content)

    def _flush(self) -> None:
        if self._unsent is None:
            return
        self._send(Progressed(job_id=self.job_id, fence=self.fence, progress=self._unsent))
        self._sent, self._unsent, self._sent_at = self._unsent, None, time.monotonic()


def execute_run(context: LocalJobContext, make_runner: Callable[[], Runner]) -> Report:
    """Run the job and return its last report. Raises nothing, except what ends the process."""
    ids = {"job_id": context.job_id, "fence": context.fence}
    try:
        result = make_runner().run(context.run.request, context)
        return Finished.model_validate({**ids, "result": result})
    except JobSuspended:
        return StoppedEarly.model_validate({**ids, "cancelled": False})
    except Cancelled:
        return StoppedEarly.model_validate({**ids, "cancelled": True})
    except ModelsheetError as error:
        return Failed.model_validate({**ids, "error": JobError.of(error)})
    except Exception as error:  # noqa: BLE001 - any error of a library ends this job alone
        _log.exception("Job %s failed unexpectedly", context.job_id)
        return Failed.model_validate({**ids, "error": _unexpected(error)})
    finally:
        context.flush()


def _unexpected(error: Exception) -> JobError:
    if isinstance(error, OSError) and is_disk_full(error):
        return DISK_FULL
    if isinstance(error, MemoryError) or _NO_MEMORY_OF_TORCH in str(error):
        sentence = (
            "This computer has not enough free memory for this. Close other programs, ask for "
            "fewer or smaller pictures, or take a smaller base model."
        )
        return JobError.of(OutOfMemory(sentence))
    return JobError(
        code="internal",
        sentence=f"The worker met an error it did not expect ({type(error).__name__}). "
        "Its log has the details; try again, and report it if it comes back.",
    )
