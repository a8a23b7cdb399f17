"""Delivering again: one delivery, or all that match a filter, at a pace that floods nobody."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, Select, func, or_, select
from sqlalchemy.orm import Session
from ulid import ULID

from tgm.audit.service import Actor, record
from tgm.bots.models import Bot
from tgm.database import WRITER, writing
from tgm.extensions import db, runtime
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_, NotFound
from tgm.shared.ids import new_id
from tgm.webhook.models import OPEN, Delivery, State, StoredUpdate

SECOND = timedelta(seconds=1)
_NUMBER = re.compile(r"-?\d{1,19}", re.ASCII)
# The columns hold 64 bits: a larger number is an error to the database.
_LARGEST = 2**63


@dataclass(frozen=True)
class Filter:
    """Which deliveries are meant; None where it does not matter.

    `since` and `until` are about when the update came in; `until` itself is not included. `text` is
    searched in what people see of an update, whatever the case; a whole number is also looked for
    as an update_id and as a chat.
    """

    endpoint: ULID | None = None
    state: State | None = None
    kind: str | None = None
    chat: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None
    update_id: int | None = None
    bot: ULID | None = None

    @property
    def asks_of_update(self) -> bool:
        """Whether the conditions are about more than the deliveries themselves."""
        about = (self.chat, self.update_id, self.since, self.until, self.text or None)
        return any(wanted is not None for wanted in about)

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions, for a query that joins Delivery with StoredUpdate.

        The join may be left out unless `asks_of_update`.
        """
        for column, wanted in (
            (Delivery.endpoint_id, self.endpoint),
            (Delivery.bot_id, self.bot),
            (Delivery.state, self.state),
            (Delivery.kind, self.kind),
            (StoredUpdate.chat_id, self.chat),
            (StoredUpdate.update_id, self.update_id),
        ):
            if wanted is not None:
                yield column == wanted
        if self.since is not None:
            yield StoredUpdate.received_at >= self.since
        if self.until is not None:
            yield StoredUpdate.received_at < self.until
        if self.text:
            yield or_(*_searched(self.text))


def _searched(text: str) -> Iterator[ColumnElement[bool]]:
    yield StoredUpdate.words.icontains(text, autoescape=True)
    if _NUMBER.fullmatch(text) and abs(int(text)) < _LARGEST:
        yield StoredUpdate.update_id == int(text)
        yield StoredUpdate.chat_id == int(text)


def of_team(team_id: ULID) -> ColumnElement[bool]:
    """Return the condition that a delivery belongs to one of the team's bots."""
    return Delivery.bot_id.in_(select(Bot.id).where(Bot.team_id == team_id))


def replay_one(team_id: ULID, delivery_id: ULID, actor: Actor) -> Delivery:
    """Deliver the same update to the same endpoint again; return the new delivery.

    It has an id of its own, and comes after whatever waits in its queue. Raises NotFound.
    """
    with writing() as session:
        query = select(Delivery).where(Delivery.id == delivery_id, of_team(team_id))
        origin = session.scalars(query).one_or_none()
        if origin is None:
            raise NotFound(N_("There is no such delivery."))
        made = _again(origin, utcnow())
        session.add(made)
        record(
            session,
            actor,
            "delivery.replayed",
            team_id=team_id,
            subject_id=origin.id,
            new_id=str(made.id),
        )
    runtime.relay.wake()
    return made


def team_of(delivery_id: ULID) -> ULID:
    """Return the team that has the delivery: for the command line only. Raises NotFound."""
    query = select(Bot.team_id).join(Delivery, Delivery.bot_id == Bot.id)
    team_id = db.session.scalar(query.where(Delivery.id == delivery_id))
    if team_id is None:
        raise NotFound(N_("There is no such delivery."))
    return team_id


def matching(team_id: ULID, wanted: Filter) -> int:
    """Return how many deliveries `replay_all` would make."""
    every = db.session.scalar(_meant(select(func.count()), team_id, wanted)) or 0
    # Only a replay gives an endpoint an update again: to sort all by update would take far longer.
    replayed = select(Delivery.update_seq).where(Delivery.origin_id.is_not(None))
    again = _meant(select(func.count().label("times")), team_id, wanted)
    again = again.where(Delivery.update_seq.in_(replayed))
    times = again.group_by(Delivery.update_seq, Delivery.endpoint_id).subquery()
    return every - (db.session.scalar(select(func.sum(times.c.times - 1))) or 0)


def _chosen(team_id: ULID, wanted: Filter) -> Select[int]:
    """Select the numbers of the deliveries to repeat, in the order in which their updates came.

    An update that an endpoint was given several times is repeated once.
    """
    last = func.max(Delivery.seq)
    query = _meant(select(last), team_id, wanted)
    query = query.group_by(Delivery.update_seq, Delivery.endpoint_id)
    return query.order_by(Delivery.update_seq, last)


def _meant(query: Select[int], team_id: ULID, wanted: Filter) -> Select[int]:
    """Narrow a query on deliveries down to those that match.

    What is still on its way is left out, unless the filter names that state: it arrives anyway.
    """
    query = query.select_from(Delivery)
    if wanted.asks_of_update:
        query = query.join(StoredUpdate, StoredUpdate.seq == Delivery.update_seq)
    query = query.where(of_team(team_id), *wanted.conditions())
    return query if wanted.state in OPEN else query.where(Delivery.state.not_in(OPEN))


@dataclass
class Replay:
    """A replay of many, as far as it has come. `step` does what is due; it never waits.

    It works on the engine alone, so that a thread without an application may run it.
    """

    team_id: ULID
    engine: Engine = field(repr=False)
    wake: Callable[[], object] = field(repr=False)
    seqs: Sequence[int] = field(repr=False)
    per_second: int
    id: ULID = field(default_factory=new_id)
    looked_at: int = 0
    made: int = 0
    due_at: datetime | None = None

    @property
    def total(self) -> int:
        """How many there are in all."""
        return len(self.seqs)

    @property
    def is_over(self) -> bool:
        """Whether all of them have been looked at."""
        return self.looked_at >= self.total

    def step(self, now: datetime) -> timedelta:
        """Make the deliveries of the next second, if it has begun; return how long to wait.

        What was purged meanwhile is passed over: `made` may end below `total`.
        """
        if self.due_at is not None and now < self.due_at:
            return self.due_at - now
        batch = self.seqs[self.looked_at : self.looked_at + self.per_second]
        with Session(self.engine) as session, session.begin():
            query = select(Delivery).where(Delivery.seq.in_(batch))
            origins = {origin.seq: origin for origin in session.scalars(query)}
            again = [_again(origins[seq], now) for seq in batch if seq in origins]
            session.add_all(again)
        self.looked_at += len(batch)
        self.made += len(again)
        self.due_at = now + SECOND
        self.wake()
        return timedelta(0) if self.is_over else SECOND


def begin(team_id: ULID, wanted: Filter, actor: Actor) -> Replay:
    """Choose what to replay and note it in the audit log. Nothing is delivered before `step`.

    The choice stands from here on: what comes later is not in it, nor are the replays themselves.
    """
    found = list(db.session.scalars(_chosen(team_id, wanted)))
    db.session.rollback()
    replay = Replay(
        team_id,
        db.engines[WRITER],
        runtime.relay.wake,
        found,
        runtime.settings.delivery_drain_per_second,
    )
    if found:
        with writing() as session:
            record(session, actor, "deliveries.replayed", team_id=team_id, deliveries=len(found))
    return replay


def replay_all(
    team_id: ULID,
    wanted: Filter,
    actor: Actor,
    *,
    on_progress: Callable[[int, int], object] | None = None,
    now: Callable[[], datetime] = utcnow,
    wait: Callable[[float], object] = time.sleep,
) -> int:
    """Deliver all that match again, as many a second as a backlog drains; return how many.

    `on_progress` is told how many are done, of how many. It takes as long as it takes: a screen
    uses `tgm.webhook.replaying`.
    """
    replay = begin(team_id, wanted, actor)
    while not replay.is_over:
        pause = replay.step(now())
        if on_progress is not None:
            on_progress(replay.looked_at, replay.total)
        if pause:
            wait(pause.total_seconds())
    return replay.made


def _again(origin: Delivery, now: datetime) -> Delivery:
    return Delivery(
        id=new_id(),
        endpoint_id=origin.endpoint_id,
        bot_id=origin.bot_id,
        update_seq=origin.update_seq,
        queue=origin.queue,
        kind=origin.kind,
        state=State.DUE,
        attempts_made=0,
        next_at=now,
        origin_id=origin.id,
        created_at=now,
    )
