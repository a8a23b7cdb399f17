"""Writing to the disk together: those who wait for the same writer share its next commit."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy import Connection, Engine

from tgm.database import has_one_writer, transaction

T = TypeVar("T")


class _Task(Generic[T]):
    """A job, and what became of it."""

    def __init__(self, job: Callable[[Connection], T], *, is_lasting: bool) -> None:
        self.job = job
        self.is_lasting = is_lasting
        self.is_done = False
        self._value: T | None = None
        self.error: Exception | None = None

    def end(self, value: T) -> None:
        self._value, self.is_done = value, True

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return self._value  # type: ignore[return-value]


class Commits:
    """One database's writer, shared by those who write often. Safe to use from any thread.

    Where a database has one writer, nobody is overtaken for ever: whoever comes first runs the jobs
    of all who wait, in one transaction. Elsewhere each job has a transaction of its own.
    """

    def __init__(self, writer: Engine) -> None:
        self._writer = writer
        self._shares = has_one_writer(writer)
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._waiting: list[_Task[object]] = []

    def run(self, job: Callable[[Connection], T], *, is_lasting: bool = True) -> T:
        """Run `job` in a transaction, and return what it returns once that is committed.

        It may be run again where a job beside it has failed, so it changes nothing but the
        database. Without `is_lasting`, a power cut may undo it.
        """
        if not self._shares:
            with transaction(self._writer, is_lasting=is_lasting) as connection:
                return job(connection)
        task = _Task(job, is_lasting=is_lasting)
        with self._lock:
            self._waiting.append(task)  # type: ignore[arg-type]
        with self._turn:
            if not task.is_done:
                with self._lock:
                    tasks, self._waiting = self._waiting, []
                self._run(tasks)
        return task.result()

    def _run(self, tasks: Sequence[_Task[object]]) -> None:
        is_lasting = any(task.is_lasting for task in tasks)
        try:
            with transaction(self._writer, is_lasting=is_lasting) as connection:
                values = [task.job(connection) for task in tasks]
        except Exception as error:  # noqa: BLE001 - whoever's job it is gets to see it
            if len(tasks) > 1:
                # One that fails must not cost the others.
                for task in tasks:
                    self._run([task])
                return
            tasks[0].error, tasks[0].is_done = error, True
            return
        for task, value in zip(tasks, values, strict=True):
            task.end(value)
