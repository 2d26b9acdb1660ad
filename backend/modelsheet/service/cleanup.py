"""What is thrown away, and when: old jobs, trash, pictures nobody refers to, damaged ledgers."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

from modelsheet.errors import DiskFull, ModelsheetError
from modelsheet.service.queue.job_store import Ledger
from modelsheet.service.storage.blobs import BlobStore
from modelsheet.subjects.store import SubjectStore

_log = logging.getLogger(__name__)
_LAYOUT = 1  # of the data folder as a whole
_DAY_S = 86_400.0
_BLOB_AGE_S = 7 * _DAY_S
_YOUNG_BLOB_S = 3600.0  # sent a moment ago, for a job that is not submitted yet
_JOB_AGE_S = 30 * _DAY_S
_JOBS_KEPT = 200
_TRASH_AGE_S = 30 * _DAY_S
_DAMAGED_KEPT = 3
_BLOB_QUOTA = 8 << 30  # bytes of all blobs, over which unreferenced ones go sooner
_ROOM_TO_WORK = 16 << 20  # bytes that uploads leave for checkpoints and the ledger


class Housekeeping:
    """Keeps the data folder from growing without end."""

    def __init__(
        self, data_dir: Path, ledger: Ledger, blobs: BlobStore, subjects: SubjectStore
    ) -> None:
        self._data_dir = data_dir
        self._ledger = ledger
        self._blobs = blobs
        self._subjects = subjects
        self._tidied_at = float("-inf")
        self._received = 0  # bytes since the last look at the quota

    def tidy(self) -> None:
        """Throw away what is old; when the service starts, and once a day while it is used."""
        self._tidied_at = time.monotonic()
        jobs = self._ledger.forget(_JOB_AGE_S, _JOBS_KEPT)
        blobs = self._blobs.sweep(self._in_use(), _BLOB_AGE_S)
        self._empty_trash()
        _log.info("%d old jobs and %d blobs that nothing refers to were removed", jobs, blobs)

    def make_room_for(self, size: int) -> None:
        """Raises DiskFull: a blob of `size` bytes would leave too little room to work."""
        self._received += size
        if time.monotonic() - self._tidied_at > _DAY_S:
            self.tidy()
        if self._received > _BLOB_QUOTA // 16:
            self._received = 0
            self._keep_quota()
        free = shutil.disk_usage(self._data_dir).free
        if free < size + min(_ROOM_TO_WORK, shutil.disk_usage(self._data_dir).total // 8):
            raise DiskFull(
                "The disk of the data folder is full; free some space and send it again."
            )

    def _keep_quota(self) -> None:
        if self._blobs.total_size() > _BLOB_QUOTA:
            swept = self._blobs.sweep(self._in_use(), _YOUNG_BLOB_S)
            _log.info("%d blobs were removed to keep the quota", swept)

    def _in_use(self) -> str:
        """Return a text in which the name of each blob occurs that something refers to."""
        subjects = "".join(record.model_dump_json() for record in self._subjects.list())
        return "".join(self._ledger.stored_requests()) + subjects

    def _empty_trash(self) -> None:
        limit = time.time() - _TRASH_AGE_S
        for folder in (self._data_dir / "trash").glob("*"):
            moment, _, _ = folder.name.partition("-")
            if moment.isdigit() and int(moment) / 1e9 < limit:
                shutil.rmtree(folder, ignore_errors=True)
        damaged = sorted(self._data_dir.glob("*.damaged-*"))
        for file in damaged[:-_DAMAGED_KEPT]:
            file.unlink(missing_ok=True)


def refuse_newer(data_dir: Path) -> None:
    """Note the layout of the data folder. Raises ModelsheetError: it is that of a newer version."""
    file = data_dir / "VERSION"
    written = file.read_text(encoding="utf-8").strip() if file.exists() else ""
    if written.isdigit() and int(written) > _LAYOUT:
        raise ModelsheetError(
            f"{data_dir} was written by a newer Modelsheet (layout {written}, this one knows "
            f"{_LAYOUT}). Update Modelsheet; nothing was changed."
        )
    if written != str(_LAYOUT):
        data_dir.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{_LAYOUT}\n", encoding="utf-8")
