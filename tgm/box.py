"""What a serving process asks of the operating system for itself. Linux only; elsewhere nothing."""

import contextlib
import ctypes
import fcntl
import gc
import os
import resource
import signal
from pathlib import Path
from typing import IO
from zlib import crc32

_ARENA_MAX = -8  # M_ARENA_MAX of mallopt(3)
_ARENAS = 2
_SIGNAL_WHEN_PARENT_ENDS = 1  # PR_SET_PDEATHSIG of prctl(2)


def spare_memory() -> None:
    """Keep the memory of many threads together. Call before there are any.

    glibc would give each of them up to eight pools of its own per core, and keep what lies unused
    in each.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, _ARENAS)


def pin(folder: Path) -> IO[str] | None:
    """Keep this process, and the threads that it starts from now on, to a core of its own.

    Python's threads take turns, and where they do so on several cores, most of the time goes into
    handing the turn on. Processes with the same `folder` keep out of each other's way; where no
    core is left for this one, it may run on any. Keep what is returned: the core is free again when
    it is closed, or the process ends.
    """
    with contextlib.suppress(OSError, AttributeError):
        cores = sorted(os.sched_getaffinity(0))
        folder.mkdir(parents=True, exist_ok=True)
        # Not always the same one first: other installations on this box choose as well.
        first = crc32(bytes(folder)) % len(cores)
        for core in cores[first:] + cores[:first]:
            file = (folder / str(core)).open("w")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.sched_setaffinity(0, {core})
            except OSError:
                file.close()
                continue
            return file
    return None


def end_with(parent: int) -> None:
    """Let SIGTERM come when `parent`, the process that has made this one, ends however it may."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SIGNAL_WHEN_PARENT_ENDS, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit(0)


def set_aside() -> None:
    """Look for no garbage any more in what is there now: it stays until the end."""
    gc.collect()
    gc.freeze()


def raise_descriptor_limit(wanted: int) -> None:
    """Allow this process so many open files, or as many as it may allow itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
