"""The request log: written in batches off the request's path, read by the dashboard."""

import logging
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, insert, or_, select, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from ulid import ULID

from tgm.keys.models import ApiKey
from tgm.proxy import counting
from tgm.proxy.models import RequestLogEntry
from tgm.telegram import catalog

log = logging.getLogger(__name__)

# About 50 MB of waiting rows: more than a database that stands still for minutes would leave.
_MOST_WAITING = 100_000
_BATCH = 1000
_PURGE_STEP = 1000

_table: Table = RequestLogEntry.__table__  # type: ignore[assignment]
_keys: Table = ApiKey.__table__  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class LogRow:
    """One call, as it is noted. `error` is a short kind, None where all went well."""

    at: datetime
    team_id: str
    bot_id: str | None
    key_id: str
    method: str
    source: str
    status: int
    bytes_in: int
    bytes_out: int
    milliseconds: int
    error: str | None


class RequestLog:
    """Takes rows from any thread; `flush` writes them."""

    def __init__(self, engine: Engine, *, keep_days: int) -> None:
        self._engine = engine
        self._keep = timedelta(days=keep_days)
        self._waiting: deque[LogRow] = deque()
        self._dropped = 0
        self._lock = threading.Lock()

    def add(self, row: LogRow) -> None:
        """Note a call. Costs no query."""
        if len(self._waiting) >= _MOST_WAITING:
            self._dropped += 1
            return
        self._waiting.append(row)

    def flush(self) -> None:
        """Write what waits, in batches, with the keys' last use. Nothing is lost if it fails."""
        with self._lock:
            if self._dropped:
                log.error("%d rows of the request log did not fit and are lost", self._dropped)
                self._dropped = 0
            while self._waiting:
                rows = [self._waiting[i] for i in range(min(_BATCH, len(self._waiting)))]
                self._write(rows)
                for _ in rows:
                    self._waiting.popleft()

    def _write(self, rows: list[LogRow]) -> None:
        try:
            with self._engine.begin() as connection:
                _insert(connection, rows)
        except OperationalError:
            # The database is not there for now: all of it waits.
            raise
        except (SQLAlchemyError, ArithmeticError, ValueError) as error:
            if len(rows) > 1:
                # A row that the database will not take must not hold the others back.
                for row in rows:
                    self._write([row])
                return
            log.error("a row of the request log cannot be stored: %s", type(error).__name__)

    def purge(self, now: datetime) -> None:
        """Delete what is older than the log is kept, in steps that let others write in between.

        Its figures go as well, in their own time.
        """
        old = select(_table.c.id).where(_table.c.at < now - self._keep).limit(_PURGE_STEP)
        gone = _PURGE_STEP
        while gone == _PURGE_STEP:
            with self._engine.begin() as connection:
                gone = connection.execute(delete(_table).where(_table.c.id.in_(old))).rowcount
        counting.purge(self._engine, counting.figures, now, self._keep)


def _insert(connection: Connection, rows: list[LogRow]) -> None:
    connection.execute(
        insert(_table), [{name: getattr(row, name) for name in LogRow.__slots__} for row in rows]
    )
    counting.note(connection, rows)
    # Rows come in the order of the calls' ends, so the last one of a key counts.
    for key_id, at in {row.key_id: row.at for row in rows if row.error != "unauthorized"}.items():
        connection.execute(
            update(_keys)
            .where(_keys.c.id == key_id)
            .where(or_(_keys.c.last_used_at.is_(None), _keys.c.last_used_at < at))
            .values(last_used_at=at)
        )


@dataclass(frozen=True)
class Filter:
    """What the dashboard shows of the log; None where it does not matter.

    `status` is a code, such as 429, or a class, such as 4 for all of 400 to 499.
    """

    bot_id: ULID | None = None
    key_id: ULID | None = None
    method: str | None = None
    status: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions on the log's rows."""
        column = _table.c
        if self.bot_id is not None:
            yield column.bot_id == self.bot_id
        if self.key_id is not None:
            yield column.key_id == self.key_id
        if self.method is not None:
            yield column.method == catalog.canonical(self.method)
        if self.status is not None:
            low, high = (
                (self.status * 100, self.status * 100 + 99)
                if self.status < 10
                else (self.status, self.status)
            )
            yield column.status.between(low, high)
        if self.since is not None:
            yield column.at >= self.since
        if self.until is not None:
            yield column.at < self.until
