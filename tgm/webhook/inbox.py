"""Storing updates: on disk before anybody is told so, many of them in one commit."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Any

from sqlalchemy import Connection, String, Table, bindparam, insert, select, type_coerce
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.sql.dml import ReturningInsert

from tgm.database import insert_or_ignore
from tgm.shared.ids import new_id
from tgm.webhook.chats import ChatNotes, Seen
from tgm.webhook.commits import Commits
from tgm.webhook.facts import Facts
from tgm.webhook.models import Delivery, Endpoint, State, StoredUpdate
from tgm.webhook.prepared import Prepared

log = logging.getLogger(__name__)

# More would let the other writers wait; less would cost more commits.
_BATCH = 500
_PATIENCE_SECONDS = 60

_updates: Table = StoredUpdate.__table__  # type: ignore[assignment]
_deliveries: Table = Delivery.__table__  # type: ignore[assignment]
_endpoints: Table = Endpoint.__table__  # type: ignore[assignment]
_ENDPOINTS = Prepared(
    select(
        type_coerce(_endpoints.c.id, String),
        type_coerce(_endpoints.c.bot_id, String),
        _endpoints.c.kinds,
    ).where(_endpoints.c.bot_id.in_(bindparam("bot_ids", expanding=True))),
    "bot_ids",
)
# By dialect: for several at once, and for one.
_ADD_UPDATES: dict[str, ReturningInsert[Any]] = {}
_ADD_UPDATE: dict[str, Prepared] = {}
_ADD_DELIVERIES = Prepared(insert(_deliveries))


class NotStored(Exception):
    """An update is not on disk, as far as is known: whoever sent it must send it again."""


@dataclass(frozen=True)
class Stored:
    """An update that has just been stored for the first time. `seq` is the order of intake."""

    seq: int
    bot_id: str
    facts: Facts
    received_at: datetime


Told = Callable[[int, str | None], None]
"""Hears how many updates were new, once they are on disk, or why they are not stored."""


@dataclass(eq=False)
class _Parcel:
    """What one caller wants stored, and who is told what became of it."""

    bot_id: str
    items: Sequence[tuple[bytes, Facts]]
    received_at: datetime
    tell: Told

    def end(self, count: int = 0, failure: str | None = None) -> None:
        """Tell. Whoever listens cannot undo what is stored, nor keep others from hearing."""
        try:
            self.tell(count, failure)
        except Exception:
            log.exception("what became of an update could not be told")


class _Waiting:
    """Lets one thread wait until it is told.

    A plain lock that opens is a tenth of a Future's work, and each update may wait on one.
    """

    def __init__(self) -> None:
        self._count = 0
        self._failure: str | None = None
        self._closed = threading.Lock()
        self._closed.acquire()

    def end(self, count: int, failure: str | None) -> None:
        """Let the thread go on."""
        self._count, self._failure = count, failure
        self._closed.release()

    def wait(self) -> int:
        """Return how many were new, once they are on disk. Raises NotStored."""
        if not self._closed.acquire(timeout=_PATIENCE_SECONDS):
            raise NotStored("the database did not answer in time")
        if self._failure is not None:
            raise NotStored(self._failure)
        return self._count


class Inbox:
    """Takes updates from any thread; one thread writes them, a batch with each commit."""

    def __init__(self, commits: Commits, on_stored: Callable[[Sequence[Stored]], None]) -> None:
        """`on_stored` hears of new updates after the commit, in the writing thread: it must be
        quick, and may not put anything here itself."""
        self._commits = commits
        self._on_stored = on_stored
        self._queue: SimpleQueue[_Parcel | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_stopped = False
        self._chats = ChatNotes()

    def put(self, bot_id: str, raw: bytes, facts: Facts, received_at: datetime) -> bool:
        """Store an update, and return when it is on disk: True where it is new, False where it was
        there already. Raises NotStored."""
        return self.put_many(bot_id, [(raw, facts)], received_at) == 1

    def put_many(
        self, bot_id: str, items: Sequence[tuple[bytes, Facts]], received_at: datetime
    ) -> int:
        """Store updates of one bot in their order, all or none, and return how many were new.

        Raises NotStored.
        """
        waiting = _Waiting()
        self.hand_over(bot_id, items, received_at, waiting.end)
        return waiting.wait()

    def hand_over(
        self,
        bot_id: str,
        items: Sequence[tuple[bytes, Facts]],
        received_at: datetime,
        tell: Told,
    ) -> None:
        """Have updates of one bot stored, all or none, without waiting for it.

        `tell` is called once, in the writing thread: it must be quick. Raises NotStored, and then
        calls nobody.
        """
        parcel = _Parcel(str(bot_id), items, received_at, tell)
        with self._lock:
            if self._is_stopped:
                raise NotStored("TGM is stopping")
            self._queue.put(parcel)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="tgm-inbox", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Store what waits, then take nothing more."""
        with self._lock:
            self._is_stopped = True
            self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        is_last = False
        while not is_last:
            parcels, is_last = self._next()
            if parcels:
                self._store(parcels)

    def _next(self) -> tuple[list[_Parcel], bool]:
        """Wait for a parcel, and take those along that came while the last commit was under way."""
        parcels: list[_Parcel] = []
        size = 0
        parcel = self._queue.get()
        while parcel is not None:
            parcels.append(parcel)
            size += len(parcel.items)
            if size >= _BATCH:
                return parcels, False
            try:
                parcel = self._queue.get_nowait()
            except Empty:
                return parcels, False
        return parcels, True

    def _store(self, parcels: Sequence[_Parcel]) -> None:
        try:
            stored, counts, chats = self._commits.run(lambda c: self._write(c, parcels))
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers must hear of it
            if len(parcels) > 1 and _is_about_values(error):
                # One of them cannot be stored, for instance since its bot has just been deleted:
                # that must not cost the others.
                for parcel in parcels:
                    self._store([parcel])
                return
            # Only the kind: the statement's values are a stranger's words.
            log.error("%d updates could not be stored: %s", len(parcels), type(error).__name__)
            for parcel in parcels:
                parcel.end(failure=type(error).__name__)
            return
        self._chats.remember(chats)
        if stored:
            self._tell(stored)
        for parcel, count in zip(parcels, counts, strict=True):
            parcel.end(count)

    def _write(
        self, connection: Connection, parcels: Sequence[_Parcel]
    ) -> tuple[list[Stored], Sequence[int], list[Seen]]:
        stored, counts = _write(connection, parcels)
        return stored, counts, self._chats.write(connection, _seen(stored))

    def _tell(self, stored: Sequence[Stored]) -> None:
        try:
            self._on_stored(stored)
        except Exception:
            log.exception("what follows after storing failed; the updates are stored")


def _is_about_values(error: Exception) -> bool:
    # StatementError itself is about a value's type; those derived from it are the database's.
    is_value = isinstance(error, IntegrityError | DataError) or type(error) is StatementError
    return is_value or not isinstance(error, SQLAlchemyError)


def _seen(stored: Sequence[Stored]) -> Iterator[Seen]:
    for one in stored:
        if one.facts.chat is not None:
            yield one.bot_id, one.facts.chat, one.received_at


def _write(
    connection: Connection, parcels: Sequence[_Parcel]
) -> tuple[list[Stored], Sequence[int]]:
    rows: dict[tuple[str, int], tuple[int, dict[str, Any], Facts]] = {}
    for number, parcel in enumerate(parcels):
        for raw, facts in parcel.items:
            key = (parcel.bot_id, facts.update_id)
            # Telegram may repeat one while it is still on its way to the disk.
            rows.setdefault(key, (number, _row(parcel, raw, facts), facts))
    counts = [0] * len(parcels)
    if not rows:
        return [], counts
    stored = []
    for seq, bot_id, update_id in _insert(connection, [row for _, row, _ in rows.values()]):
        number, row, facts = rows[bot_id, update_id]
        counts[number] += 1
        stored.append(Stored(seq, bot_id, facts, row["received_at"]))
    stored.sort(key=lambda one: one.seq)
    _add_deliveries(connection, stored)
    return stored, counts


def _insert(connection: Connection, rows: Sequence[dict[str, Any]]) -> Iterable[Sequence[Any]]:
    """Insert updates, and return number, bot and id of those that are new."""
    add = _ADD_UPDATES.get(connection.dialect.name)
    if add is None:
        # Ids as text: reading them as ULIDs would cost more than the rest of the row.
        add = insert_or_ignore(connection, _updates).returning(
            _updates.c.seq, type_coerce(_updates.c.bot_id, String), _updates.c.update_id
        )
        _ADD_UPDATES[connection.dialect.name] = add
        _ADD_UPDATE[connection.dialect.name] = Prepared(add)
    if len(rows) == 1:
        return _ADD_UPDATE[connection.dialect.name].rows(connection, rows[0])
    return connection.execute(add, rows)


def _row(parcel: _Parcel, raw: bytes, facts: Facts) -> dict[str, Any]:
    return {
        "bot_id": parcel.bot_id,
        "update_id": facts.update_id,
        "is_test": False,
        "kind": facts.kind,
        "queue": facts.queue,
        "chat_id": facts.chat_id,
        "user_id": facts.user_id,
        "words": facts.words,
        "raw": raw,
        "received_at": parcel.received_at,
    }


def _add_deliveries(connection: Connection, stored: Sequence[Stored]) -> None:
    if not stored:
        return
    bot_ids = list({one.bot_id for one in stored})
    takers: dict[str, list[tuple[str, Sequence[str] | None]]] = {}
    for endpoint_id, bot_id, kinds in _ENDPOINTS.rows(connection, {"bot_ids": bot_ids}):
        takers.setdefault(bot_id, []).append((endpoint_id, kinds))
    deliveries = [
        _delivery(one, endpoint_id)
        for one in stored
        for endpoint_id, kinds in takers.get(one.bot_id, ())
        if kinds is None or one.facts.kind in kinds
    ]
    if deliveries:
        _ADD_DELIVERIES.run(connection, deliveries)


def _delivery(one: Stored, endpoint_id: str) -> dict[str, Any]:
    return {
        "id": str(new_id()),
        "endpoint_id": endpoint_id,
        "bot_id": one.bot_id,
        "update_seq": one.seq,
        "queue": one.facts.queue,
        "kind": one.facts.kind,
        "state": State.DUE,
        "attempts_made": 0,
        "next_at": one.received_at,
        "created_at": one.received_at,
    }
