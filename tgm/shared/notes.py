"""Short-lived notes that whoever serves must see: in memory for one process, else in a file."""

import logging
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tgm.shared.boxfile import BoxFile

log = logging.getLogger(__name__)

_MOST_REMEMBERED = 10_000
_PURGE_SECONDS = 10.0


class Notes(Protocol):
    """Numbers under a kind and a key, each for some seconds."""

    def put(self, kind: str, key: str, value: float, seconds: float) -> None:
        """Note a number; it takes the place of a smaller one."""

    def get(self, kind: str, key: str) -> float | None:
        """Return the number, None where there is none any more."""


class OwnNotes:
    """Notes of a process that is alone."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._notes: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def put(self, kind: str, key: str, value: float, seconds: float) -> None:
        """Note a number; it takes the place of a smaller one."""
        now = self._clock()
        with self._lock:
            old, until = self._notes.pop((kind, key), (value, now))
            kept = (max(old, value), max(until, now + seconds)) if until > now else None
            self._notes[kind, key] = kept or (value, now + seconds)
            while len(self._notes) > _MOST_REMEMBERED:
                self._notes.popitem(last=False)

    def get(self, kind: str, key: str) -> float | None:
        """Return the number, None where there is none any more."""
        value, until = self._notes.get((kind, key), (0.0, 0.0))
        return value if until > self._clock() else None


class SharedNotes:
    """Notes that all processes on this box see. Where the file fails, there are none."""

    def __init__(self, file: BoxFile, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._clock = clock
        self._purge_at = clock() + _PURGE_SECONDS

    def put(self, kind: str, key: str, value: float, seconds: float) -> None:
        """Note a number; it takes the place of a smaller one."""
        now = self._clock()
        if now >= self._purge_at:
            self._purge_at = now + _PURGE_SECONDS
            self._run("DELETE FROM notes WHERE until <= ?", (now,))
        self._run(_PUT, (kind, key, value, now, now + seconds))

    def get(self, kind: str, key: str) -> float | None:
        """Return the number, None where there is none any more."""
        query = "SELECT value FROM notes WHERE kind = ? AND key = ? AND until > ?"
        rows = self._run(query, (kind, key, self._clock()))
        return float(rows[0][0]) if rows else None

    def _run(self, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        try:
            return self._file.run(statement, values)
        except (sqlite3.Error, OSError) as error:
            log.warning("the file that processes share failed: %s", error)
            return []


_PUT = """
INSERT INTO notes (kind, key, value, until) VALUES (?1, ?2, ?3, ?5)
ON CONFLICT (kind, key) DO UPDATE SET
    value = CASE WHEN until <= ?4 THEN ?3 ELSE max(value, ?3) END,
    until = CASE WHEN until <= ?4 THEN ?5 ELSE max(until, ?5) END
"""
