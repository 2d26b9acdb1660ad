"""Delete old jobs, unreferenced blobs, old trash and damaged databases; keep room on the disk."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

from modelsheet.errors import DiskFull, ModelsheetError
from modelsheet.service.queue.job_table import JobTable
from modelsheet.service.storage.blobs import BlobStore
from modelsheet.service.storage.clock_record import DAY_S, ClockRecord
from modelsheet.subjects.store import SubjectStore

_log = logging.getLogger(__name__)
_LAYOUT = 1  # of the data folder as a whole
_BLOB_AGE_S = 7 * DAY_S
_YOUNG_BLOB_S = 3600.0  # uploaded for a job that is not submitted yet
_YOUNGEST_BLOB_S = 600.0  # the same, where the disk is full
_SQUEEZE_INTERVAL_S = 60.0
_JOB_AGE_S = 30 * DAY_S
_JOBS_KEPT = 200
_TRASH_AGE_S = 30 * DAY_S
_DAMAGED_KEPT = 3
_BLOB_QUOTA = 8 << 30  # bytes of all blobs, over which unreferenced ones go sooner
_TEMPORARIES = (".tokens.json-*", ".models.json-*", ".models.json.tmp", "subjects/*/.name.txt-*")
_WORKING_SPACE = 16 << 20  # bytes that uploads leave for checkpoints and the database


class Cleanup:
    """Keep the data folder from growing without bound."""

    def __init__(
        self, data_dir: Path, jobs: JobTable, blobs: BlobStore, subjects: SubjectStore
    ) -> None:
        self._data_dir = data_dir
        self._jobs = jobs
        self._blobs = blobs
        self._subjects = subjects
        self._last_run_at = float("-inf")
        self._received = 0  # bytes since the quota was last checked
        self._last_squeeze_at = float("-inf")
        self._clock = ClockRecord(data_dir / "clock.json", data_dir / "job-records")

    def run(self) -> None:
        """Delete everything old: at the start of the service, and once a day while it is used.

        Nothing is, while the clock cannot be trusted.
        """
        self._last_run_at = time.monotonic()
        if not self._clock.is_steady():
            return
        jobs = self._jobs.delete_finished(_JOB_AGE_S, _JOBS_KEPT)
        blobs = self._blobs.sweep(self._in_use(), _BLOB_AGE_S)
        self._empty_trash()
        self._remove_temporaries()
        _log.info("%d old jobs and %d blobs that nothing refers to were removed", jobs, blobs)

    def make_room_for(self, size: int) -> None:
        """Make room for a blob of `size` bytes. Raises DiskFull: it would leave too little room for
        jobs.
        """
        self._received += size
        if time.monotonic() - self._last_run_at > DAY_S:
            self.run()
        if self._received > _BLOB_QUOTA // 16:
            self._received = 0
            self._keep_quota()
        if not self._has_room_for(size):
            self._squeeze(size)
        if not self._has_room_for(size):
            raise DiskFull(
                "The disk of the data folder is full; free some space and send it again."
            )

    def _has_room_for(self, size: int) -> bool:
        disk = shutil.disk_usage(self._data_dir)
        return disk.free >= size + min(_WORKING_SPACE, disk.total // 8)

    def _squeeze(self, size: int) -> None:
        """Delete ever younger blobs that nothing refers to until there is room; not all the time,
        for it reads all jobs.
        """
        if time.monotonic() - self._last_squeeze_at < _SQUEEZE_INTERVAL_S:
            return
        self._last_squeeze_at = time.monotonic()
        in_use = self._in_use()
        for age_s in (_YOUNG_BLOB_S, _YOUNGEST_BLOB_S):
            swept = self._blobs.sweep(in_use, age_s)
            _log.info("%d blobs were removed because the disk is full", swept)
            if self._has_room_for(size):
                return

    def _keep_quota(self) -> None:
        if self._blobs.total_size() > _BLOB_QUOTA:
            swept = self._blobs.sweep(self._in_use(), _YOUNG_BLOB_S)
            _log.info("%d blobs were removed to keep the quota", swept)

    def _in_use(self) -> set[str]:
        """Return the sha256 of every blob in use."""
        records = self._subjects.list()
        references = {one.blob for record in records for one in record.references}
        return self._jobs.blobs_in_use() | references

    def _empty_trash(self) -> None:
        now = time.time()
        for folder in (self._data_dir / "trash").glob("*"):
            moment, _, name = folder.name.partition("-")
            if not moment.isdigit():
                continue
            age_s = now - int(moment) / 1e9
            if age_s > _TRASH_AGE_S:
                shutil.rmtree(folder, ignore_errors=True)
            elif age_s < -DAY_S:  # deleted while the clock was ahead
                folder.rename(folder.with_name(f"{time.time_ns()}-{name}"))
        damaged = sorted(self._data_dir.glob("*.damaged-*"))
        for file in damaged[:-_DAMAGED_KEPT]:
            file.unlink(missing_ok=True)

    def _remove_temporaries(self) -> None:
        """Remove files that a killed process was writing beside the ones that they replace."""
        limit = time.time() - _YOUNG_BLOB_S
        for pattern in _TEMPORARIES:
            for file in self._data_dir.glob(pattern):
                if file.stat().st_mtime < limit:
                    file.unlink(missing_ok=True)


def check_layout_version(data_dir: Path) -> None:
    """Write the layout version of the data folder. Raises ModelsheetError: a newer version wrote
    it.
    """
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
