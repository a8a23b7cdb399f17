"""What the screens show of updates, deliveries and attempts. Reads only."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, String, bindparam, func, or_, select, type_coerce
from ulid import ULID

from tgm.bots.models import Bot
from tgm.extensions import db
from tgm.shared.errors import N_, NotFound
from tgm.shared.paging import Page, page_of
from tgm.webhook.models import OPEN, Attempt, Delivery, Endpoint, State, StoredUpdate, standing
from tgm.webhook.replay import Filter


@dataclass(frozen=True)
class Search(Filter):
    """A filter with the search box's whole number: an update_id, a chat, or part of a text."""

    number: int | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions, for a query that joins Delivery with StoredUpdate."""
        yield from super().conditions()
        if self.number is not None:
            yield or_(
                StoredUpdate.update_id == self.number,
                StoredUpdate.chat_id == self.number,
                StoredUpdate.words.contains(str(self.number), autoescape=True),
            )


class Line(NamedTuple):
    """One delivery, as the list shows it: no more, since live lists read fifty at a time."""

    id: str
    seq: int
    received_at: datetime
    update_id: int
    kind: str
    is_test: bool
    is_replay: bool
    bot: str
    endpoint: str
    chat_id: int | None
    words: str
    state: State
    attempts_made: int
    last_error: str | None

    @property
    def standing(self) -> str:
        """How it stands, in one of the words that the screens show."""
        return standing(self.state, self.attempts_made)


@dataclass(frozen=True)
class Detail:
    """One delivery with all that is known of it. `replays` are the deliveries that repeat it."""

    delivery: Delivery
    update: StoredUpdate
    endpoint: Endpoint
    bot: Bot
    attempts: Sequence[Attempt]
    replays: Sequence[Delivery]


@dataclass(frozen=True)
class Summary:
    """How deliveries stand. `lag` is how long the oldest open one has waited, None without one.

    `failing` counts the open ones that were tried in vain, `given_up` those that never arrived.
    `failed_seq` is the newest delivery that has not arrived for an error.
    """

    pending: int = 0
    failing: int = 0
    given_up: int = 0
    lag: timedelta | None = None
    last_error: str | None = None
    failed_seq: int | None = None


# In the order of a Line. Ids stay texts, which is what a page needs.
_LINE = (
    type_coerce(Delivery.id, String),
    Delivery.seq,
    StoredUpdate.received_at,
    StoredUpdate.update_id,
    StoredUpdate.kind,
    StoredUpdate.is_test,
    Delivery.origin_id.is_not(None),
    Bot.name,
    Endpoint.name,
    StoredUpdate.chat_id,
    StoredUpdate.words,
    Delivery.state,
    Delivery.attempts_made,
    Delivery.last_error,
)


def page(team_id: ULID, wanted: Filter, before: int | None = None, *, size: int = 50) -> Page[Line]:
    """Return a team's deliveries, the newest first, older than the delivery `before` (its seq)."""
    is_usual = wanted.state is State.DELIVERED
    query = _lines().where(*(replace(wanted, state=None) if is_usual else wanted).conditions())
    if is_usual:
        query = query.where(Delivery.state.not_in((*OPEN, State.DEAD)))
    if wanted.chat is not None:
        # The filter's own condition once more, so that other chats' updates are not looked up.
        query = query.where(Delivery.queue == f"c{wanted.chat}")
    if before is not None:
        query = query.where(Delivery.seq < before)
    found = db.session.execute(query.limit(size + 1), {"team": team_id})
    return page_of(map(Line._make, found), size)


@cache
def _lines() -> Select[*tuple[Any, ...]]:
    # To put it together takes longer than to run it.
    return (
        select(*_LINE)
        .join_from(Delivery, StoredUpdate, StoredUpdate.seq == Delivery.update_seq)
        .join(Endpoint, Endpoint.id == Delivery.endpoint_id)
        # Nearly every row is the team's, and was delivered. By an index on that SQLite would find
        # them all and sort them; read from the newest on, the first few fill a page. So this
        # condition, like the one on what was delivered, is put in a way that fits no index.
        .join(Bot, Bot.id == Delivery.bot_id.concat(""))
        .where(Bot.team_id == bindparam("team", type_=Bot.team_id.type))
        .order_by(Delivery.seq.desc())
    )


def mark() -> tuple[int | None, ...]:
    """Return numbers that differ after any delivery was made, taken up or attempted."""
    # The claimed ones are few and have an index; each attempt is a row of its own.
    claimed = select(func.sum(Delivery.seq)).where(Delivery.state == State.CLAIMED)
    query = select(
        select(func.max(Delivery.seq)).scalar_subquery(),
        select(func.max(Attempt.id)).scalar_subquery(),
        claimed.scalar_subquery(),
    )
    return tuple(db.session.execute(query).one())


def detail(team_id: ULID, delivery_id: ULID) -> Detail:
    """Return one delivery of the team's. Raises NotFound."""
    query = (
        select(Delivery, StoredUpdate, Endpoint, Bot)
        .join(StoredUpdate, StoredUpdate.seq == Delivery.update_seq)
        .join(Endpoint, Endpoint.id == Delivery.endpoint_id)
        .join(Bot, Bot.id == Delivery.bot_id)
        .where(Delivery.id == delivery_id, Bot.team_id == team_id)
    )
    row = db.session.execute(query).one_or_none()
    if row is None:
        raise NotFound(N_("There is no such delivery."))
    delivery, update, endpoint, bot = row
    attempts = db.session.scalars(
        select(Attempt).where(Attempt.delivery_seq == delivery.seq).order_by(Attempt.number)
    ).all()
    # All deliveries of one update are few, and found by an index; replays of it are among them.
    replays = db.session.scalars(
        select(Delivery)
        .where(Delivery.update_seq == delivery.update_seq, Delivery.origin_id == delivery.id)
        .order_by(Delivery.seq)
    ).all()
    return Detail(delivery, update, endpoint, bot, attempts, replays)


def by_endpoint(bot_id: ULID, now: datetime) -> dict[ULID, Summary]:
    """Return how each of a bot's endpoints stands."""
    is_open = Delivery.state.in_(OPEN)
    query = (
        select(
            Delivery.endpoint_id,
            _count(is_open),
            _count(is_open & (Delivery.attempts_made > 0)),
            _count(Delivery.state == State.DEAD),
            func.min(Delivery.created_at).filter(is_open),
            func.max(Delivery.seq).filter(Delivery.last_error.is_not(None)),
        )
        # By state alone, whichever bot's: what is open or given up is few, and has an index.
        .where(Delivery.state.in_((*OPEN, State.DEAD)))
        .group_by(Delivery.endpoint_id)
    )
    counted = {row[0]: row[1:] for row in db.session.execute(query)}
    summaries = {}
    for endpoint in db.session.scalars(select(Endpoint).where(Endpoint.bot_id == bot_id)):
        row = counted.get(endpoint.id, (0, 0, 0, None, None))
        pending, failing, given_up, oldest, failed_seq = row
        lag = None if oldest is None else max(now - oldest, timedelta())
        summaries[endpoint.id] = Summary(
            pending, failing, given_up, lag, endpoint.last_error, failed_seq
        )
    return summaries


def summary(bot_id: ULID, now: datetime) -> Summary:
    """Return how a bot's deliveries stand, over all its endpoints."""
    each = by_endpoint(bot_id, now).values()
    failed_seq = max((one.failed_seq for one in each if one.failed_seq is not None), default=None)
    failed = select(Delivery.last_error).where(Delivery.seq == failed_seq)
    return Summary(
        pending=sum(one.pending for one in each),
        failing=sum(one.failing for one in each),
        given_up=sum(one.given_up for one in each),
        lag=max((one.lag for one in each if one.lag is not None), default=None),
        last_error=(db.session.scalar(failed) if failed_seq is not None else None)
        or next((one.last_error for one in each if one.last_error), None),
        failed_seq=failed_seq,
    )


def pretty(raw: bytes) -> str:
    """Return an update for reading: indented, every script as it is. Never raises."""
    try:
        text = json.dumps(json.loads(raw), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return raw.decode(errors="replace")
    # A lone surrogate is fine in JSON, and cannot be sent in a page.
    return text.encode(errors="replace").decode()


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(condition)
