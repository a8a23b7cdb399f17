"""How the deliveries of a team's endpoints stand, in one query that stays quick when many wait."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, bindparam, func, select
from sqlalchemy.orm import aliased
from ulid import ULID

from tgm.bots.models import Bot
from tgm.dashboard.known import EndpointFacts
from tgm.extensions import db
from tgm.webhook.models import OPEN, Delivery, Endpoint, State

# Counting what waits needs the index alone. What more is asked of a delivery needs its row, and a
# receiver that is gone for days leaves a hundred thousand: "2,000" then says enough.
MOST_COUNTED = 2000


def of_team(team_id: ULID, since: datetime) -> Mapping[ULID, list[EndpointFacts]]:
    """Return each bot's endpoints, by name. Deliveries given up count from `since` on.

    `failing` and `given_up` are counted among the first `MOST_COUNTED` that may be so.
    """
    given = {"team": team_id, "since": since}
    found: dict[ULID, list[EndpointFacts]] = {}
    for one, pending, failing, given_up, oldest_at in db.session.execute(_query(), given):
        facts = EndpointFacts(
            id=one.id,
            name=one.name,
            kinds=None if one.kinds is None else tuple(one.kinds),
            paused_because=one.paused_because,
            failing_since=one.failing_since,
            last_error=one.last_error,
            pending=pending,
            failing=failing,
            given_up=given_up,
            oldest_at=oldest_at,
        )
        found.setdefault(one.bot_id, []).append(facts)
    return found


@cache
def _query() -> Select[*tuple[Any, ...]]:
    # To put it together takes longer than to run it.
    is_open = Delivery.state.in_(OPEN)
    first = aliased(Delivery)
    # Plus nothing: for a plain minimum SQLite walks past all that was delivered, the oldest first.
    earliest = _of_endpoint(func.min(Delivery.seq + 0), is_open)
    oldest = select(first.created_at).where(first.seq == earliest)
    return (
        select(
            Endpoint,
            _of_endpoint(func.count(), is_open),
            _counted(is_open, Delivery.attempts_made > 0),
            _counted(Delivery.state == State.DEAD, Delivery.finished_at >= bindparam("since")),
            oldest.scalar_subquery(),
        )
        .join(Bot, Bot.id == Endpoint.bot_id)
        .where(Bot.team_id == bindparam("team"))
        .order_by(func.lower(Endpoint.name), Endpoint.id)
    )


def _of_endpoint(value: ColumnElement[int], condition: ColumnElement[bool]) -> ScalarSelect[int]:
    mine = and_(Delivery.endpoint_id == Endpoint.id, condition)
    return select(value).select_from(Delivery).where(mine).correlate(Endpoint).scalar_subquery()


def _counted(kept: ColumnElement[bool], wanted: ColumnElement[bool]) -> ScalarSelect[int]:
    rows = (
        select(wanted.label("wanted"))
        .where(Delivery.endpoint_id == Endpoint.id, kept)
        .limit(MOST_COUNTED)
        .correlate(Endpoint)
        .subquery()
    )
    return select(func.count()).select_from(rows).where(rows.c.wanted).scalar_subquery()
