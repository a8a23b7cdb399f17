"""Counting against limits in a SQLite file, so that the processes on one box count together.

A storage of the package limits, under addresses such as `sqlite+file:///srv/tgm/limits.sqlite3`. It
holds fixed windows only, which is all that TGM counts in. Importing this module makes it known.
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from limits.storage import Storage

from tgm.shared.boxfile import BoxFile

SCHEME = "sqlite+file"
_PURGE_SECONDS = 30.0
# A step of a purge: others write in between.
_PURGE_STEP = 500
_COUNT = """
INSERT INTO counts (key, amount, until) VALUES (?1, ?2, ?3 + ?4)
ON CONFLICT (key) DO UPDATE SET
    amount = CASE WHEN until <= ?3 THEN ?2 ELSE amount + ?2 END,
    until = CASE WHEN until <= ?3 THEN ?3 + ?4 ELSE until END
RETURNING amount, until
"""
_PURGE = """
DELETE FROM counts WHERE key IN (SELECT key FROM counts WHERE until <= ? LIMIT ?) RETURNING key
"""


def address_of(path: Path) -> str:
    """Return the storage's address for a file."""
    return f"{SCHEME}://{quote(str(path))}"


class SqliteStorage(Storage):
    """Counts in a file. Nothing is opened before the first count."""

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012 - declared without ClassVar by the package

    def __init__(
        self,
        uri: str | None = None,
        wrap_exceptions: bool = False,
        *,
        clock: Callable[[], float] = time.time,
        **options: float | str | bool,
    ) -> None:
        """`clock` returns epoch seconds."""
        super().__init__(uri, wrap_exceptions=wrap_exceptions, **options)
        self.file = BoxFile(Path(unquote(urlsplit(uri or "").path)))
        self._clock = clock
        self._purge_at = clock() + _PURGE_SECONDS

    @property
    def base_exceptions(self) -> type[Exception]:
        """What a storage of this kind raises."""
        return sqlite3.Error

    def count(self, key: str, seconds: int, amount: int = 1) -> tuple[int, float]:
        """Count `amount`, in a window that begins now where none is open.

        Return what has been counted in the window, and its end in epoch seconds: all that a caller
        wants to know, in one statement. Raises sqlite3.Error.
        """
        now = self._clock()
        ((counted, until),) = self.file.run(_COUNT, (key, amount, now, seconds))
        if now >= self._purge_at:
            is_all = len(self.file.run(_PURGE, (now, _PURGE_STEP))) < _PURGE_STEP
            self._purge_at = now + _PURGE_SECONDS if is_all else now
        return counted, until

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count `amount`; return what has been counted in the window."""
        return self.count(key, expiry, amount)[0]

    def get(self, key: str) -> int:
        """Return what has been counted in the window that is open."""
        query = "SELECT amount FROM counts WHERE key = ? AND until > ?"
        rows = self.file.run(query, (key, self._clock()))
        return int(rows[0][0]) if rows else 0

    def get_expiry(self, key: str) -> float:
        """Return the window's end in epoch seconds; now, where none is open."""
        now = self._clock()
        rows = self.file.run("SELECT until FROM counts WHERE key = ? AND until > ?", (key, now))
        return float(rows[0][0]) if rows else now

    def check(self) -> bool:
        """Tell whether the file can be used."""
        try:
            self.file.run("SELECT 1 FROM counts LIMIT 1")
        except sqlite3.Error:
            return False
        return True

    def reset(self) -> int | None:
        """Forget every count; return how many there were."""
        return len(self.file.run("DELETE FROM counts RETURNING key"))

    def clear(self, key: str) -> None:
        """Forget what was counted under a key."""
        self.file.run("DELETE FROM counts WHERE key = ?", (key,))
