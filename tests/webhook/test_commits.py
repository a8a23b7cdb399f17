"""Those who write at the same time share a commit, and not each other's fate."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, event, text

from tgm.database import WRITER, transaction
from tgm.extensions import db
from tgm.webhook.commits import Commits

pytestmark = pytest.mark.usefixtures("app")


class Together:
    """Runs jobs while another one holds the writer, so that they all wait for it."""

    def __init__(self) -> None:
        self.commits = Commits(db.engines[WRITER])
        self.seen: list[object] = []

    def run(
        self, *jobs: Callable[[Connection], Any], are_lasting: bool = True
    ) -> list[Future[Any]]:
        """Return what became of the jobs; `seen` holds their commits. Only the first is sure to
        last where `are_lasting` is not set."""
        held, gate = threading.Event(), threading.Event()

        def hold(_connection: Connection) -> None:
            held.set()
            gate.wait(10)

        with ThreadPoolExecutor(len(jobs) + 1) as pool:
            first = pool.submit(self.commits.run, hold)
            assert held.wait(10), "nobody holds the writer"
            waiting = []
            for number, job in enumerate(jobs, 1):
                is_lasting = are_lasting or number == 1
                waiting.append(pool.submit(self.commits.run, job, is_lasting=is_lasting))
                until = time.monotonic() + 10
                while len(self.commits._waiting) < number:
                    assert time.monotonic() < until, "a job does not wait for the writer"
                    time.sleep(0.001)
            listen = ("commit", self.seen.append)
            gate.set()
            first.result(10)
            event.listen(db.engines[WRITER], *listen)
        return waiting


def insert(number: int) -> Callable[[Connection], int]:
    def job(connection: Connection) -> int:
        connection.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": number})
        return number

    return job


def fail(_connection: Connection) -> None:
    raise RuntimeError("no")


def numbers() -> list[int]:
    with db.engine.connect() as connection:
        return list(connection.scalars(text("SELECT n FROM numbers ORDER BY n")))


@pytest.fixture(autouse=True)
def table(app: Flask) -> None:
    with db.engines[WRITER].begin() as connection:
        connection.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY)"))
    # As it is outside of tests. The writer has one connection, which keeps it.
    with db.engines[WRITER].connect() as connection:
        connection.connection.cursor().execute("PRAGMA synchronous=FULL")


def test_jobs_that_wait_share_a_commit() -> None:
    together = Together()
    done = together.run(*(insert(number) for number in range(10)))
    assert [each.result() for each in done] == list(range(10))
    assert numbers() == list(range(10))
    assert len(together.seen) <= 2


def test_a_job_that_fails_costs_the_others_nothing() -> None:
    done = Together().run(insert(1), fail, insert(2))
    assert [done[0].result(), done[2].result()] == [1, 2]
    with pytest.raises(RuntimeError):
        done[1].result()
    assert numbers() == [1, 2]


def synchronous(connection: Connection) -> int:
    """2 waits for the disk with each commit, 1 does not."""
    return int(connection.scalar(text("PRAGMA synchronous")) or 0)


def test_only_what_may_be_lost_in_a_power_cut_does_not_wait_for_the_disk() -> None:
    writer = db.engines[WRITER]
    commits = Commits(writer)
    assert commits.run(synchronous, is_lasting=False) == 1
    assert commits.run(synchronous) == 2
    with pytest.raises(RuntimeError):
        commits.run(fail, is_lasting=False)
    with writer.begin() as connection:
        assert synchronous(connection) == 2
    with transaction(writer, is_lasting=False) as connection:
        assert synchronous(connection) == 1


def test_what_must_last_takes_along_what_need_not() -> None:
    commits = Together()
    found = commits.run(synchronous, synchronous, are_lasting=False)
    assert [each.result() for each in found] == [2, 2]
