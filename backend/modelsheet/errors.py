"""Error classes and their stable codes. Each carries one sentence for the user: what to do next.

ModelsheetError (code)
├── InvalidRequest           invalid-request         the request cannot be fulfilled as asked
│   ├── InvalidImages        invalid-images          the images sent cannot be learnt from
│   ├── InvalidIdentifier    invalid-identifier      the identifier is no rare single token
│   └── InvalidClassNoun     invalid-class-noun      the class noun is empty or unknown
├── NotFound                 not-found               no such job, subject, blob or base model
│   └── ModelMissing         model-missing           a base model that is not on this machine
├── Conflict                 conflict-state          the state of a job or subject forbids this
│   └── IdempotencyConflict  idempotency-conflict    the key was used for another request
├── Busy                     busy                    the queue is full; a later attempt may work
├── UnsafeModel              unsafe-model            a weights file that is refused
├── LearningDiverged         learning-diverged       the training loss is NaN or infinite
├── OutOfMemory              oom                     the device has not enough memory
├── DiskFull                 disk-full               the data folder's disk is full
├── DownloadFailed           download-failed         a model could not be downloaded
├── WorkerCrashed            worker-crashed          the worker died too often on this job
├── BackendUnreachable       backend-unreachable     no answer from the service
└── Cancelled                cancelled               cancelled on request, not a failure
"""

from __future__ import annotations

import errno


class ModelsheetError(Exception):
    """Base of all errors with a sentence for the user; `code` is stable and part of the API."""

    code = "internal"
    retryable = False


class InvalidRequest(ModelsheetError):
    code = "invalid-request"


class InvalidImages(InvalidRequest):
    code = "invalid-images"


class InvalidIdentifier(InvalidRequest):
    code = "invalid-identifier"


class InvalidClassNoun(InvalidRequest):
    code = "invalid-class-noun"


class NotFound(ModelsheetError):
    code = "not-found"


class ModelMissing(NotFound):
    code = "model-missing"


class Conflict(ModelsheetError):
    code = "conflict-state"


class IdempotencyConflict(Conflict):
    code = "idempotency-conflict"


class Busy(ModelsheetError):
    code = "busy"
    retryable = True


class UnsafeModel(ModelsheetError):
    code = "unsafe-model"


class LearningDiverged(ModelsheetError):
    code = "learning-diverged"


class OutOfMemory(ModelsheetError):
    code = "oom"


class DiskFull(ModelsheetError):
    code = "disk-full"
    retryable = True


class DownloadFailed(ModelsheetError):
    code = "download-failed"
    retryable = True


class WorkerCrashed(ModelsheetError):
    code = "worker-crashed"
    retryable = True


class BackendUnreachable(ModelsheetError):
    code = "backend-unreachable"
    retryable = True


class Cancelled(ModelsheetError):
    code = "cancelled"


def error_for(code: str, sentence: str) -> ModelsheetError:
    """Return the error of this `code`, for example one that a worker process reported."""
    for kind in _tree(ModelsheetError):
        if kind.code == code:
            return kind(sentence)
    return ModelsheetError(sentence)


def _tree(root: type[ModelsheetError]) -> list[type[ModelsheetError]]:
    return [root, *(kind for child in root.__subclasses__() for kind in _tree(child))]


def is_disk_full(error: OSError) -> bool:
    """Return True if the disk, or the user's quota of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
