"""Hide how Linux, macOS and Windows differ for the service and its processes; nothing else asks.

`modelsheet_setup.platforms` is the same for setting up and for the plugin.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

if sys.platform != "win32":
    import fcntl
    import resource

IS_WINDOWS = sys.platform == "win32"  # which removes no open file and flushes no folder
LOOPBACK_INTERFACE = {"linux": "lo", "darwin": "lo0"}.get(sys.platform)  # Windows has no name
_PR_SET_PDEATHSIG = 1


def is_ours_without(status: os.stat_result, rights: int) -> bool:
    """Tell whether a file is this user's and gives others none of these rights, as 0o077.

    True on Windows, where the access list of the user's profile keeps others out.
    """
    if sys.platform == "win32":
        return True
    else:
        return status.st_uid == os.getuid() and not status.st_mode & rights


def keep_new_files_private() -> None:
    """Give others no rights to the files that this process makes; Windows inherits the folder's."""
    if sys.platform != "win32":
        os.umask(0o077)


def process_options() -> dict[str, Any]:
    """Return Popen's options for a process that Ctrl-C here does not reach, without a window, whose
    files are private.
    """
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    else:
        return {"start_new_session": True, "umask": 0o077}


def die_with_parent(parent: int) -> None:
    """End this process when its parent ends, in whatever way; Linux alone can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)
        # When memory runs out, Linux should kill the worker, whose job is resumed, and not the
        # service.
        with contextlib.suppress(OSError):  # some containers forbid it
            Path("/proc/self/oom_score_adj").write_text("500")


def allowed_cores() -> int:
    """Return the number of cores that this process may use; sys.maxsize where none is withheld."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    else:
        return sys.maxsize


def lower_priority(niceness: int) -> None:
    """Give way to other programs. On Linux each thread has a niceness of its own, so call it before
    threads are started.
    """
    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.setpriority(os.PRIO_PROCESS, 0, max(niceness, os.getpriority(os.PRIO_PROCESS, 0)))
        # With autogroups Linux shares time among sessions first, and the worker is one of its own.
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(niceness), "ascii")


def set_limit(name: str, value: int) -> None:
    """Set a limit of this process, such as RLIMIT_AS; nothing on Windows, which has none."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError, ValueError):  # above a limit that is set already
            resource.setrlimit(getattr(resource, name), (value, value))


def raise_handle_limit(wanted: int) -> int:
    """Raise the limit of open files as far as wanted and allowed; return it."""
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        if soft != resource.RLIM_INFINITY:
            if soft >= wanted:
                return soft
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            except (OSError, ValueError):  # macOS has a second limit, of the system
                return soft
    return wanted


def lock_folder(folder: Path) -> int | None:
    """Lock a folder itself and return its descriptor, which holds the lock; None on Windows.

    Raises BlockingIOError where another process has it, OSError where folders cannot be locked.
    """
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor
    else:
        return None
