"""The threads that answer requests."""

from queue import Empty, SimpleQueue
from typing import Any

from waitress.task import ThreadedTaskDispatcher


class Dispatcher(ThreadedTaskDispatcher):  # type: ignore[misc]
    """Hands requests to threads through the standard library's queue, which is made of C.

    waitress's own wakes a thread with locks and lists in Python, for each request.
    """

    threads: set[int]

    def __init__(self, count: int) -> None:
        super().__init__()
        self.tasks: SimpleQueue[Any] = SimpleQueue()
        self.set_thread_count(count)

    def add_task(self, task: Any) -> None:
        """Have a request answered."""
        self.tasks.put(task)

    def handler_thread(self, thread_no: int) -> None:
        """Answer requests until told to stop."""
        while (task := self.tasks.get()) is not None:
            try:
                task.service()
            except BaseException:
                self.logger.exception("a request could not be answered")
        with self.lock:
            self.threads.discard(thread_no)
            self.thread_exit_cv.notify()

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:  # noqa: ARG002
        """Drop what nobody has begun to answer, and wait for the rest."""
        dropped = False
        while not self.tasks.empty():
            try:
                self.tasks.get_nowait().cancel()
            except Empty:
                break
            dropped = True
        with self.lock:
            for _ in self.threads:
                self.tasks.put(None)
            if not self.thread_exit_cv.wait_for(lambda: not self.threads, timeout):
                self.logger.warning("%d thread(s) still running", len(self.threads))
        return dropped
