"""Waits that end: one that lasted for ever would hold up every test behind it."""

import select
import subprocess
import threading
import time

PATIENCE = 60.0


def join(*threads: threading.Thread) -> None:
    """Wait until all of them have ended."""
    until = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    stuck = [thread.name for thread in threads if thread.is_alive()]
    assert not stuck, f"these have not ended: {stuck}"


def first_line(popen: subprocess.Popen[str]) -> str:
    """Return the first line that a process prints."""
    assert popen.stdout is not None
    ready, _, _ = select.select([popen.stdout], [], [], PATIENCE)
    assert ready, f"process {popen.pid} has said nothing"
    return popen.stdout.readline()
