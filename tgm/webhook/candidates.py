"""Which deliveries may start now: the queries behind a claim.

Whatever waits, a query visits each chat once, by hopping through the index from one to the next:
its cost grows with the chats that have something due, not with what is waiting in them.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    FromClause,
    ScalarSelect,
    Select,
    Table,
    exists,
    func,
    or_,
    select,
)

from tgm.bots.models import Bot
from tgm.webhook.models import OPEN, Delivery, Endpoint, Reception, State

deliveries: Table = Delivery.__table__  # type: ignore[assignment]
endpoints: Table = Endpoint.__table__  # type: ignore[assignment]
_receptions: Table = Reception.__table__  # type: ignore[assignment]
_bots: Table = Bot.__table__  # type: ignore[assignment]
# Queues are called c<chat> and u<user>; "" holds what belongs to neither and keeps no order.
_FIRST = ""


@dataclass(frozen=True)
class Room:
    """An endpoint with something due, and how many of its deliveries are under way."""

    endpoint_id: str
    drain_until_seq: int | None
    takes_answers: bool
    under_way: int


def active() -> ColumnElement[bool]:
    """The condition on `endpoints` that its deliveries are not held."""
    held = exists().where(
        _receptions.c.bot_id == endpoints.c.bot_id, _receptions.c.is_paused.is_(True)
    )
    disabled = exists().where(_bots.c.id == endpoints.c.bot_id, _bots.c.disabled_at.is_not(None))
    return endpoints.c.paused_because.is_(None) & ~held & ~disabled


def unheld(row: FromClause, now: datetime) -> ColumnElement[bool]:
    """The condition on a delivery that no earlier one of its queue holds it back."""
    earlier = deliveries.alias("earlier")
    return (row.c.queue == "") | ~exists().where(
        earlier.c.endpoint_id == row.c.endpoint_id,
        earlier.c.state.in_(OPEN),
        earlier.c.queue == row.c.queue,
        earlier.c.seq < row.c.seq,
        or_(earlier.c.holds_until.is_(None), earlier.c.holds_until > now),
    )


def rooms(connection: Connection, now: datetime) -> list[Room]:
    """Return the endpoints that have something due and may deliver."""
    claimed = (
        select(func.count())
        .where(
            deliveries.c.endpoint_id == endpoints.c.id,
            deliveries.c.state == State.CLAIMED,
        )
        .correlate(endpoints)
        .scalar_subquery()
    )
    waiting = exists().where(
        deliveries.c.endpoint_id == endpoints.c.id,
        deliveries.c.state == State.DUE,
        deliveries.c.next_at <= now,
    )
    query = select(
        endpoints.c.id, endpoints.c.drain_until_seq, endpoints.c.takes_answers, claimed
    ).where(active(), waiting)
    return [
        Room(str(row[0]), row[1], row[2], row[3])
        for row in connection.execute(query.order_by(endpoints.c.id))
    ]


def heads(
    endpoint_id: str, now: datetime, *, beyond: str, up_to: str | None, after_seq: int
) -> Select[str, int]:
    """Select queue and number of the first due delivery of each queue, where nothing holds it.

    Only queues after `beyond`, up to `up_to` where that is given; only numbers past `after_seq`.
    """
    queues = _queues(endpoint_id, beyond, up_to)
    row = deliveries.alias("head")
    first = (
        select(row.c.seq)
        .where(
            row.c.endpoint_id == endpoint_id,
            row.c.state == State.DUE,
            row.c.queue == queues.c.queue,
            row.c.next_at <= now,
        )
        .order_by(row.c.seq)
        .limit(1)
        .correlate(queues)
        .scalar_subquery()
    )
    mine = deliveries.alias("mine")
    return (
        select(queues.c.queue, mine.c.seq)
        .join_from(queues, mine, mine.c.seq == first)
        .where(queues.c.queue.is_not(None), mine.c.seq > after_seq, unheld(mine, now))
    )


def _queues(endpoint_id: str, beyond: str, up_to: str | None) -> CTE:
    """Hop from one queue with something due to the next. The last row is NULL."""

    def following(queue: ColumnElement[str] | str) -> ScalarSelect[str]:
        row = deliveries.alias()
        query = select(row.c.queue).where(
            row.c.endpoint_id == endpoint_id, row.c.state == State.DUE, row.c.queue > queue
        )
        if up_to is not None:
            query = query.where(row.c.queue <= up_to)
        return query.order_by(row.c.queue).limit(1).scalar_subquery()

    queues = select(following(beyond).label("queue")).cte("queues", recursive=True)
    return queues.union_all(
        select(following(queues.c.queue)).where(queues.c.queue.is_not(None)).select_from(queues)
    )


def loose(endpoint_id: str, now: datetime, *, after_seq: int) -> Select[int]:
    """Select what is due of the queue that keeps no order, the earliest first."""
    return (
        select(deliveries.c.seq)
        .where(
            deliveries.c.endpoint_id == endpoint_id,
            deliveries.c.state == State.DUE,
            deliveries.c.queue == _FIRST,
            deliveries.c.next_at <= now,
            deliveries.c.seq > after_seq,
        )
        .order_by(deliveries.c.seq)
    )
