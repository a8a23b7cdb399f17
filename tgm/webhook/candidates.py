"""Which deliveries may start now: the queries behind a claim.

Whatever waits, a query visits each chat once, by hopping through the index from one to the next:
its cost grows with the chats that have something due, not with what is waiting in them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    ScalarSelect,
    Select,
    String,
    Table,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from tgm.bots.models import Bot
from tgm.shared.types import UlidType, UtcDateTime
from tgm.webhook.models import OPEN, Delivery, Endpoint, Reception, State

deliveries: Table = Delivery.__table__  # type: ignore[assignment]
endpoints: Table = Endpoint.__table__  # type: ignore[assignment]
_receptions: Table = Reception.__table__  # type: ignore[assignment]
_bots: Table = Bot.__table__  # type: ignore[assignment]
_earlier = deliveries.alias("earlier")
_head = deliveries.alias("head")
_mine = deliveries.alias("mine")
_next = deliveries.alias("next")
# Queues are called c<chat> and u<user>; "" holds what belongs to neither and keeps no order.
_FIRST = ""

NOW: ColumnElement[datetime] = bindparam("now", type_=UtcDateTime)
_ENDPOINT: ColumnElement[Any] = bindparam("endpoint", type_=UlidType)
_AFTER: ColumnElement[int] = bindparam("after_seq", type_=BigInteger)
_MOST: ColumnElement[int] = bindparam("most", type_=Integer)


@dataclass(frozen=True)
class Room:
    """An endpoint with something due, and how many of its deliveries are under way.

    `most` is how many may be, None for as many as the settings say.
    """

    endpoint_id: str
    drain_until_seq: int | None
    takes_answers: bool
    most: int | None
    under_way: int


def active() -> ColumnElement[bool]:
    """The condition on `endpoints` that its deliveries are not held."""
    # Said of which table, since a query around it may name the bots as well.
    held = (
        exists()
        .where(_receptions.c.bot_id == endpoints.c.bot_id, _receptions.c.is_paused.is_(True))
        .correlate(endpoints)
    )
    disabled = (
        exists()
        .where(_bots.c.id == endpoints.c.bot_id, _bots.c.disabled_at.is_not(None))
        .correlate(endpoints)
    )
    return endpoints.c.paused_because.is_(None) & ~held & ~disabled


def unheld(row: FromClause, now: ColumnElement[datetime]) -> ColumnElement[bool]:
    """The condition on a delivery that no earlier one of its queue holds it back."""
    return (row.c.queue == "") | ~exists().where(
        _earlier.c.endpoint_id == row.c.endpoint_id,
        _earlier.c.state.in_(OPEN),
        _earlier.c.queue == row.c.queue,
        _earlier.c.seq < row.c.seq,
        or_(_earlier.c.holds_until.is_(None), _earlier.c.holds_until > now),
    )


def _rooms() -> Select[Any, int | None, bool, int | None, int]:
    mine = (deliveries.c.endpoint_id == endpoints.c.id,)
    claimed = (
        select(func.count())
        .where(*mine, deliveries.c.state == State.CLAIMED)
        .correlate(endpoints)
        .scalar_subquery()
    )
    # Spelt out, as an index of due ones alone is used only where the query says so, too.
    due = deliveries.c.state == literal_column("'due'")
    waiting = exists().where(*mine, due, deliveries.c.next_at <= NOW)
    columns = endpoints.c
    return (
        select(
            columns.id,
            columns.drain_until_seq,
            columns.takes_answers,
            columns.max_connections,
            claimed,
        )
        .where(active(), waiting)
        .order_by(columns.id)
    )


def _heads(*, is_bounded: bool) -> Select[str, int]:
    """Select queue and number of the first due delivery of each queue, where nothing holds it."""
    queues = _queues(is_bounded=is_bounded)
    first = (
        select(_head.c.seq)
        .where(
            _head.c.endpoint_id == _ENDPOINT,
            _head.c.state == State.DUE,
            _head.c.queue == queues.c.queue,
            _head.c.next_at <= NOW,
        )
        .order_by(_head.c.seq)
        .limit(1)
        .correlate(queues)
        .scalar_subquery()
    )
    return (
        select(queues.c.queue, _mine.c.seq)
        .join_from(queues, _mine, _mine.c.seq == first)
        .where(queues.c.queue.is_not(None), _mine.c.seq > _AFTER, unheld(_mine, NOW))
        .limit(_MOST)
    )


def _queues(*, is_bounded: bool) -> CTE:
    """Hop from one queue with something due to the next. The last row is NULL."""

    def following(queue: ColumnElement[str]) -> ScalarSelect[str]:
        query = select(_next.c.queue).where(
            _next.c.endpoint_id == _ENDPOINT, _next.c.state == State.DUE, _next.c.queue > queue
        )
        if is_bounded:
            query = query.where(_next.c.queue <= bindparam("up_to", type_=String))
        return query.order_by(_next.c.queue).limit(1).scalar_subquery()

    beyond = bindparam("beyond", type_=String)
    queues = select(following(beyond).label("queue")).cte("queues", recursive=True)
    return queues.union_all(
        select(following(queues.c.queue)).where(queues.c.queue.is_not(None)).select_from(queues)
    )


# Made once: to put them together costs several times as much as to run them.
_ROOMS = _rooms()
_ROOMS_AMONG = _ROOMS.where(endpoints.c.id.in_(bindparam("ids", expanding=True)))
_HEADS, _HEADS_UP_TO = _heads(is_bounded=False), _heads(is_bounded=True)
_LOOSE = (
    select(deliveries.c.seq)
    .where(
        deliveries.c.endpoint_id == _ENDPOINT,
        deliveries.c.state == State.DUE,
        deliveries.c.queue == _FIRST,
        deliveries.c.next_at <= NOW,
        deliveries.c.seq > _AFTER,
    )
    .order_by(deliveries.c.seq)
    .limit(_MOST)
)


def rooms(
    connection: Connection, now: datetime, among: Collection[str] | None = None
) -> list[Room]:
    """Return the endpoints that have something due and may deliver; only `among` these."""
    if among is None:
        rows = connection.execute(_ROOMS, {"now": now})
    else:
        rows = connection.execute(_ROOMS_AMONG, {"now": now, "ids": list(among)})
    return [Room(str(row[0]), *row[1:]) for row in rows]


@dataclass(frozen=True)
class Look:
    """A look at what an endpoint may start `now`: only numbers past `after_seq`."""

    connection: Connection
    endpoint_id: str
    now: datetime
    after_seq: int

    def in_order(self, most: int, *, beyond: str, up_to: str | None) -> list[tuple[str, int]]:
        """Return queue and number of the first due delivery of each queue that nothing holds.

        Only queues after `beyond`, up to `up_to` where that is given.
        """
        values = {**self._values(most), "beyond": beyond}
        if up_to is None:
            rows = self.connection.execute(_HEADS, values)
        else:
            rows = self.connection.execute(_HEADS_UP_TO, {**values, "up_to": up_to})
        return [(row[0], row[1]) for row in rows]

    def loose(self, most: int) -> list[int]:
        """Return what is due of the queue that keeps no order, the earliest first."""
        return list(self.connection.scalars(_LOOSE, self._values(most)))

    def _values(self, most: int) -> dict[str, object]:
        return {
            "endpoint": self.endpoint_id,
            "now": self.now,
            "after_seq": self.after_seq,
            "most": most,
        }
