"""A small SQLite file for what the processes on one box must know of each other right now.

Nothing in it has to survive the box: it is never waited for to reach the disk. A process that is
killed leaves it whole.
"""

import fcntl
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_BUSY_SECONDS = 5
_PRIVATE = 0o600
_TABLES = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=OFF;
PRAGMA cache_size=-512;
CREATE TABLE IF NOT EXISTS counts
    (key TEXT PRIMARY KEY, amount INTEGER NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS counts_until ON counts (until);
CREATE TABLE IF NOT EXISTS notes
    (kind TEXT, key TEXT, value REAL NOT NULL, until REAL NOT NULL, PRIMARY KEY (kind, key))
    WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS notes_until ON notes (until);
CREATE TABLE IF NOT EXISTS turns
    (number INTEGER PRIMARY KEY, bot TEXT NOT NULL, chat TEXT, at REAL NOT NULL,
    messages INTEGER NOT NULL, once TEXT);
CREATE INDEX IF NOT EXISTS turns_bot ON turns (bot, at);
CREATE INDEX IF NOT EXISTS turns_chat ON turns (bot, chat, at);
CREATE TABLE IF NOT EXISTS pauses (bot TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
"""


class BoxFile:
    """Runs statements, one at a time in each process. Opened by the first one, so after any fork.

    One connection for all threads: each of its own would cost memory, and they would then wait for
    each other in SQLite, which sleeps where a lock is handed on.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def run(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement in a transaction of its own. Raises sqlite3.Error."""
        with self._lock:
            return self._opened().execute(statement, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Let several statements count as one, and no other process write meanwhile."""
        with self._lock:
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close it; the next statement opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def mend(self) -> None:
        """Forget the notes of processes that are gone, and begin with a new file where the old one
        is damaged, as a loss of power may leave it.

        Only while no other process uses it.
        """
        try:
            healthy = self.run("PRAGMA quick_check(1)") == [("ok",)]
            self.run("DELETE FROM notes")
        except sqlite3.DatabaseError:
            healthy = False
        self.close()
        if not healthy:
            for ending in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + ending).unlink(missing_ok=True)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # What SQLite puts beside it takes over its mode.
            self.path.touch(mode=_PRIVATE)
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                # One at a time: SQLite does not wait where two set a new file up at once.
                with self.path.with_name(f".{self.path.name}.opening").open("w") as turn:
                    fcntl.flock(turn, fcntl.LOCK_EX)
                    connection.executescript(_TABLES)
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.close()
                raise
            self._connection = connection
        return self._connection
