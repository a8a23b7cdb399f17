"""Telegram's published pace, kept together by all processes on one box.

The turns stand in the file that they share, one row for each call, whoever has taken it. So those
of a process that has died pass like any other, and the pace goes on where a restart cut it off.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tgm.proxy.pace import (
    MINUTE,
    MOST_AT_ONCE,
    PER_BOT,
    SECOND,
    Pace,
    PaceReached,
    Slot,
    turn,
)
from tgm.shared.boxfile import BoxFile

log = logging.getLogger(__name__)

_PURGE_SECONDS = 10.0
# A turn counts for a minute from its last message on, which leaves a second after each other.
_KEPT_SECONDS = MINUTE + MOST_AT_ONCE * SECOND
# Whoever has a turn for something begins with it soon, and says so elsewhere.
_ONCE_SECONDS = 1.0
_BOOT = Path("/proc/sys/kernel/random/boot_id")

_PAUSE = "SELECT until FROM pauses WHERE bot = ?"
_NOTE_PAUSE = """
INSERT INTO pauses (bot, until) VALUES (?1, ?2)
ON CONFLICT (bot) DO UPDATE SET until = max(until, ?2) RETURNING until
"""
_TAKEN = "SELECT 1 FROM turns WHERE bot = ? AND at > ? AND once = ? LIMIT 1"
_OF_BOT = "SELECT at, messages FROM turns WHERE bot = ? AND messages > 0 AND at >= ? ORDER BY at"
_OF_CHAT = "SELECT at, messages FROM turns WHERE bot = ? AND chat = ? AND at >= ? ORDER BY at"
_ENTER = "INSERT INTO turns (bot, chat, at, messages, once) VALUES (?, ?, ?, ?, ?) RETURNING number"
_PURGES = (
    "DELETE FROM turns WHERE at < ?1 - ?2 OR bot NOT LIKE ?3",
    "DELETE FROM pauses WHERE until < ?1 - ?2 OR bot NOT LIKE ?3",
)


class _At(NamedTuple):
    """A message that has left or will: see `pace.Timed`."""

    at: float


class BoxPace:
    """Hands out turns to every process with the same file: see `pace.Paced`.

    The clock must be the same in all of them, as Linux's monotonic one is until the next boot.
    Where the file fails, this process keeps the pace for itself meanwhile.
    """

    def __init__(self, file: BoxFile) -> None:
        self._file = file
        self._own = Pace()
        # What was written down before the last boot is about another clock.
        self._boot = _BOOT.read_text().strip() if _BOOT.exists() else ""
        self._lock = threading.Lock()
        self._purge_at = float("-inf")

    def take(
        self,
        now: float,
        bot_id: str,
        *,
        patience: float,
        messages: int = 1,
        chat: str | None = None,
        once: str | None = None,
    ) -> Slot:
        """Return the next free turn. Raises PaceReached."""
        messages = min(messages, MOST_AT_ONCE)
        bot = self._name(bot_id)
        try:
            self._purge(now)
            if not messages and self._paused_until(bot) <= now:
                # Nothing to write: most calls that send no message end here.
                return Slot(bot_id, None, now, now + patience)
            with self._file.transaction() as connection:
                if once is not None:
                    values = (bot, now - _ONCE_SECONDS, once)
                    if connection.execute(_TAKEN, values).fetchone():
                        raise PaceReached(_ONCE_SECONDS)
                at = self._turn(connection, bot, now, patience, messages, chat)
                row = (bot, chat if messages else None, at, messages, once)
                ((number,),) = connection.execute(_ENTER, row).fetchall()
            return Slot(bot_id, row[1], at, now + patience, number=number)
        except (sqlite3.Error, OSError) as error:
            _warn(error)
            return self._own.take(now, bot_id, patience=patience, messages=messages, chat=chat)

    def look(self, slot: Slot) -> float:
        """Return when the turn is."""
        if slot.number is not None:
            with _warned():
                query = "SELECT at FROM turns WHERE number = ?"
                for (at,) in self._file.run(query, (slot.number,)):
                    slot.at = at
        return slot.at

    def give_back(self, slot: Slot) -> None:
        """Free a turn that is not used."""
        if slot.number is None:
            self._own.give_back(slot)
            return
        with _warned():
            self._file.run("DELETE FROM turns WHERE number = ?", (slot.number,))

    def pause(self, now: float, bot_id: str, seconds: float) -> None:
        """Let nothing leave for `seconds`."""
        bot = self._name(bot_id)
        # Here, too, for the time in which the file may fail.
        self._own.pause(now, bot_id, seconds)
        with _warned(), self._file.transaction() as connection:
            ((until,),) = connection.execute(_NOTE_PAUSE, (bot, now + seconds)).fetchall()
            query = "SELECT min(at) FROM turns WHERE bot = ? AND at > ?"
            ((first,),) = connection.execute(query, (bot, now)).fetchall()
            if first is not None and until > first:
                values = (until - first, bot, now)
                connection.execute("UPDATE turns SET at = at + ? WHERE bot = ? AND at > ?", values)

    def paused_for(self, now: float, bot_id: str) -> float:
        """Return how many seconds nothing may leave, 0 where it may."""
        try:
            return max(0.0, self._paused_until(self._name(bot_id)) - now)
        except (sqlite3.Error, OSError) as error:
            _warn(error)
            return self._own.paused_for(now, bot_id)

    def _name(self, bot_id: str) -> str:
        return f"{bot_id} {self._boot}"

    def _paused_until(self, bot: str) -> float:
        return _first(self._file.run(_PAUSE, (bot,)))

    @staticmethod
    def _turn(
        connection: sqlite3.Connection,
        bot: str,
        now: float,
        patience: float,
        messages: int,
        chat: str | None,
    ) -> float:
        pause_until = _first(connection.execute(_PAUSE, (bot,)).fetchall())
        slots: list[_At] = []
        same: list[_At] = []
        if messages:
            for at, count in connection.execute(_OF_BOT, (bot, now - SECOND)):
                slots += [_At(at)] * min(count, PER_BOT)
        if messages and chat is not None:
            for at, count in connection.execute(_OF_CHAT, (bot, chat, now - _KEPT_SECONDS)):
                each = (at + number * SECOND for number in range(count))
                same += [_At(when) for when in each if when >= now - MINUTE]
        return turn(now, patience, pause_until, slots, same, chat, messages)

    def _purge(self, now: float) -> None:
        with self._lock:
            is_due = now >= self._purge_at
            if is_due:
                self._purge_at = now + _PURGE_SECONDS
        if is_due:
            for statement in _PURGES:
                self._file.run(statement, (now, _KEPT_SECONDS, self._name("%")))


def _first(rows: Sequence[Any]) -> float:
    return float(rows[0][0]) if rows else float("-inf")


@contextmanager
def _warned() -> Iterator[None]:
    """Leave undone what the file does not take."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        _warn(error)


def _warn(error: Exception) -> None:
    log.warning("the file that processes share failed: %s", error)
