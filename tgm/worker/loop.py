"""A thread that runs jobs, each at its own pace, until it is told to stop."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_PATIENCE = 5.0  # seconds

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Something to run every so many seconds: quick, and free to fail, as it runs again."""

    name: str
    every: float
    run: Callable[[], object]
    at_end: bool = False
    """Whether it runs once more when the loop stops, so that nothing stays unwritten."""
    everywhere: bool = False
    """Whether each of several processes runs it, since each has something of its own to do."""


class Loop:
    """Runs the jobs, one at a time: what may wait for somebody else needs a loop of its own."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="tgm-worker", daemon=True)

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait a little for the last round: a job may hang on somebody else."""
        self._stopping.set()
        self._thread.join(_PATIENCE)

    def _work(self) -> None:
        due = {job: time.monotonic() + job.every for job in self._jobs}
        while not self._stopping.wait(max(0.0, min(due.values()) - time.monotonic())):
            for job in self._jobs:
                if time.monotonic() >= due[job]:
                    _run(job)
                    due[job] = time.monotonic() + job.every
        for job in self._jobs:
            if job.at_end:
                _run(job)


def _run(job: Job) -> None:
    try:
        job.run()
    except Exception:
        log.exception("a background job failed and will run again: %s", job.name)
