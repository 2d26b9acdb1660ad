"""What child processes do in the tests."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

from modelsheet.errors import NotFound


def die() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def eat() -> int:
    return len(bytes(4 << 30))


def sleep() -> None:
    time.sleep(60)


def refuse() -> None:
    raise NotFound("There is none.")


def fill_disk() -> None:
    raise OSError(28, "No space left on device")


def limits() -> dict[str, object]:
    os.write(1, b"printed by a library\n")
    return {"core": resource.getrlimit(resource.RLIMIT_CORE), "folder": Path.cwd().name}
