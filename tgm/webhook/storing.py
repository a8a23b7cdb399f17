"""Writing updates that have come, and their deliveries, as rows: a batch of them at once."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, Table, bindparam, insert, select, type_coerce
from sqlalchemy.sql.dml import ReturningInsert

from tgm.database import insert_or_ignore
from tgm.shared.ids import new_id
from tgm.webhook.facts import Facts
from tgm.webhook.models import Delivery, Endpoint, State, StoredUpdate
from tgm.webhook.prepared import Prepared

log = logging.getLogger(__name__)

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
class Parcel:
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


def write(connection: Connection, parcels: Sequence[Parcel]) -> tuple[list[Stored], Sequence[int]]:
    """Store parcels. Return the new updates in their order, and how many of each parcel are new."""
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


def _row(parcel: Parcel, raw: bytes, facts: Facts) -> dict[str, Any]:
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
