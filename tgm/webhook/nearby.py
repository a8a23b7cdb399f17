"""Which deliveries may start now because of what has just happened.

The look at all that is due costs as much as there are chats that wait, at receivers that are down
above all. What a single update may change is known beforehand: its own deliveries. And where one
has ended: the next of its queue.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, case, func, select, union

from tgm.webhook import claimed
from tgm.webhook.candidates import NOW, Room, active, deliveries, endpoints, unheld
from tgm.webhook.claimed import Claimed
from tgm.webhook.models import State
from tgm.webhook.prepared import Prepared

_come = deliveries.alias("come")
_done = deliveries.alias("done")
_head = deliveries.alias("head")
_others = deliveries.alias("others")


@dataclass(frozen=True)
class News:
    """What has happened: updates that came, deliveries that ended with others of their queue behind
    them, both by their numbers, these with their endpoints; and the endpoints that any delivery has
    ended at."""

    updates: Sequence[int] = ()
    ended: Mapping[int, str] = field(default_factory=dict)
    freed: Collection[str] = ()


def _near() -> Select[Any]:
    following = (
        select(_head.c.seq)
        .where(
            _head.c.endpoint_id == _done.c.endpoint_id,
            _head.c.state == State.DUE,
            _head.c.queue == _done.c.queue,
            _head.c.next_at <= NOW,
        )
        .order_by(_head.c.seq)
        .limit(1)
        .correlate(_done)
        .scalar_subquery()
    )
    near = union(
        select(_come.c.seq).where(_come.c.update_seq.in_(bindparam("updates", expanding=True))),
        select(following).where(_done.c.seq.in_(bindparam("ended", expanding=True))),
    )
    under_way = (
        select(func.count())
        .where(_others.c.endpoint_id == endpoints.c.id, _others.c.state == State.CLAIMED)
        .correlate(endpoints)
        .scalar_subquery()
    )
    room = (endpoints.c.drain_until_seq, endpoints.c.max_connections, under_way)
    return claimed.query(*room).where(
        deliveries.c.seq.in_(near),
        # Wrapped, so that no index of what is due leads to all that is.
        case(((deliveries.c.state == State.DUE) & (deliveries.c.next_at <= NOW), 1), else_=0) == 1,
        active(),
        unheld(deliveries, NOW),
    )


# Made once: to put it together costs several times as much as to run it.
_NEAR = Prepared(_near(), "updates", "ended")


def startable(connection: Connection, news: News, now: datetime) -> dict[Room, list[Claimed]]:
    """Return what may start because of the news, the earliest first, for each endpoint."""
    values = {"updates": news.updates, "ended": list(news.ended), "now": now}
    found: dict[Room, list[Claimed]] = defaultdict(list)
    for row in _NEAR.rows(connection, values):
        one = claimed.of(row)
        *_, drain_until_seq, most, under_way = row
        room = Room(one.endpoint_id, drain_until_seq, one.takes_answers, most, under_way)
        found[room].append(one)
    return found
