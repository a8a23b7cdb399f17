"""The threads that answer requests."""

from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from waitress.task import ThreadedTaskDispatcher


@dataclass(frozen=True)
class _Job:
    """What is no request, in the form of one."""

    service: Callable[[], None]


class Dispatcher(ThreadedTaskDispatcher):  # type: ignore[misc]
    """Hands requests to threads through the standard library's queue, which is made of C, and makes
    a thread only when all are busy.

    waitress's own wakes a thread with locks and lists in Python, for each request, and makes all of
    them at the start.
    """

    threads: set[int]

    def __init__(self, most: int) -> None:
        """At most so many requests are answered at once; the others wait."""
        super().__init__()
        self.tasks: SimpleQueue[Any] = SimpleQueue()
        self._most = most
        # How many threads have nothing to do. Once there are `most`, nobody looks at it any more.
        self._idle = 0

    def add_task(self, task: Any) -> None:
        """Have a request answered."""
        with self.lock:
            if self._idle:
                self._idle -= 1
            elif len(self.threads) < self._most:
                self._begin_one()
        self.tasks.put(task)

    def add_job(self, job: Callable[[], None]) -> None:
        """Have something else done, such as the rest of an answer; it is not dropped."""
        self.add_task(_Job(job))

    def _begin_one(self) -> None:
        number = len(self.threads)
        self.threads.add(number)
        try:
            self.start_new_thread(self.handler_thread, number)
        except RuntimeError:
            self.threads.discard(number)
            if not self.threads:
                raise
            self.logger.warning("the system allows no more than %d threads", number)
            self._most = number

    def handler_thread(self, thread_no: int) -> None:
        """Answer requests until told to stop."""
        while (task := self.tasks.get()) is not None:
            try:
                task.service()
            except BaseException:
                self.logger.exception("a request could not be answered")
            with self.lock:
                self._idle += 1
        with self.lock:
            self.threads.discard(thread_no)
            self.thread_exit_cv.notify()

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:  # noqa: ARG002
        """Drop the requests that nobody has begun to answer, and wait for the rest."""
        dropped = False
        jobs = []
        while not self.tasks.empty():
            try:
                task = self.tasks.get_nowait()
            except Empty:
                break
            if isinstance(task, _Job):
                jobs.append(task)
            else:
                task.cancel()
                dropped = True
        with self.lock:
            self._most = 0
            for job in jobs:
                self.tasks.put(job)
            for _ in self.threads:
                self.tasks.put(None)
            if not self.thread_exit_cv.wait_for(lambda: not self.threads, timeout):
                self.logger.warning("%d thread(s) still running", len(self.threads))
        return dropped
