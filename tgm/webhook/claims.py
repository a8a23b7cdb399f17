"""Taking deliveries on, so that two workers cannot both win one and a dead one cannot keep any."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, zip_longest

from sqlalchemy import Connection, Engine, bindparam, case, exists, func, select, update

from tgm.database import take_turns
from tgm.shared.types import UtcDateTime
from tgm.webhook.candidates import NOW, Look, Room, active, deliveries, endpoints, rooms, unheld
from tgm.webhook.claimed import Claimed, load
from tgm.webhook.commits import Commits
from tgm.webhook.models import OPEN, State
from tgm.webhook.nearby import News, startable
from tgm.webhook.pace import Pace
from tgm.webhook.prepared import Prepared

# Twice what an attempt may last: a living worker never loses its lease.
LEASE = timedelta(seconds=30)
_LOOK_AGAIN = timedelta(seconds=1)

_columns = deliveries.c
_PLACES = _columns.seq.in_(bindparam("places", expanding=True))
_WHOSE = (
    select(_columns.seq, _columns.endpoint_id, endpoints.c.max_connections)
    .join_from(deliveries, endpoints, endpoints.c.id == _columns.endpoint_id)
    .where(_PLACES)
)
_UNDER_WAY = (
    select(_columns.endpoint_id, func.count())
    .where(
        _columns.endpoint_id.in_(bindparam("ids", expanding=True)),
        _columns.state == State.CLAIMED,
    )
    .group_by(_columns.endpoint_id)
)
_TAKERS = select(endpoints.c.id).where(endpoints.c.takes_answers.is_(True))
_WIN = Prepared(
    update(deliveries)
    .where(
        _PLACES,
        _columns.state == State.DUE,
        _columns.next_at <= NOW,
        _columns.endpoint_id.in_(select(endpoints.c.id).where(active())),
        unheld(deliveries, NOW),
    )
    .values(
        state=State.CLAIMED,
        lease_owner=bindparam("owner"),
        leased_until=case(
            (_columns.endpoint_id.in_(_TAKERS), bindparam("answers_until", type_=UtcDateTime)),
            else_=bindparam("until", type_=UtcDateTime),
        ),
    )
    .returning(_columns.seq),
    "places",
)
_EXPIRED = (_columns.state == State.CLAIMED) & (_columns.leased_until < NOW)
_TAKE_BACK = (
    update(deliveries).where(_EXPIRED).values(state=State.DUE, lease_owner=None, leased_until=None)
)
_IS_EXPIRED = select(_columns.seq).where(_EXPIRED).limit(1)


class Claims:
    """One worker's claims. Use it from one thread.

    `at_once` is per endpoint, over all workers. `drain_per_second` is this worker's own pace for
    what waited while an endpoint was paused. `answer_seconds` is how much longer an attempt may
    last where the receiver's answer may name a method to call.
    """

    def __init__(
        self,
        reader: Engine,
        commits: Commits,
        owner: str,
        *,
        at_once: int,
        drain_per_second: int,
        answer_seconds: float,
    ) -> None:
        self._reader = reader
        self._commits = commits
        self._owner = owner
        self._at_once = at_once
        self._looked_at: datetime | None = None
        self._pace = Pace(drain_per_second)
        self._answers = timedelta(seconds=answer_seconds)
        # Where the last look at an endpoint's queues ended, so that each gets its turn.
        self._ended_at: dict[str, str] = {}
        # Where more may wait than was taken on, for want of places.
        self._crowded: set[str] = set()

    def claim(self, limit: int, now: datetime) -> list[Claimed]:
        """Take on up to `limit` deliveries that may start now."""
        self._take_back_expired(now)
        self._crowded.clear()
        with self._reader.connect() as connection:
            found = rooms(connection, now)
            wanted = {
                room.endpoint_id: self._candidates(connection, room, limit, now) for room in found
            }
        done = [
            room.endpoint_id
            for room in found
            if room.drain_until_seq is not None and not wanted[room.endpoint_id]
        ]
        for endpoint_id in done:
            self._end_drain(endpoint_id)
        return self._take(found, wanted, limit, now)

    def claim_near(self, news: News, limit: int, now: datetime) -> list[Claimed]:
        """Take on up to `limit` of those deliveries alone that may start because of the news.

        What becomes due by itself, and what other processes leave, only `claim` finds.
        """
        again = self._crowded.intersection(news.freed)
        won = self._claim_of(again, limit, now) if again else []
        # Where more wait than there were places, what is new has no right to the next one.
        but = again | self._crowded
        ended = {seq: where for seq, where in news.ended.items() if where not in but}
        if news.updates or ended:
            news = replace(news, ended=ended)
            won += self._commits.run(
                lambda c: self._win_near(c, news, limit - len(won), now, but), is_lasting=False
            )
        return won

    def _claim_of(self, endpoint_ids: set[str], limit: int, now: datetime) -> list[Claimed]:
        """Look as `claim` does, but at these endpoints alone."""
        with self._reader.connect() as connection:
            found = rooms(connection, now, endpoint_ids)
            wanted = {
                room.endpoint_id: self._candidates(connection, room, limit, now) for room in found
            }
        self._crowded -= endpoint_ids.difference(wanted)
        return self._take(found, wanted, limit, now)

    def _win_near(
        self, connection: Connection, news: News, limit: int, now: datetime, but: set[str]
    ) -> list[Claimed]:
        """Claim what may start because of the news, except at some endpoints, and return it."""
        take_turns(connection, "claim deliveries")
        chosen: list[Claimed] = []
        for room, found in startable(connection, news, now).items():
            if room.endpoint_id in but:
                continue
            free = max(0, min(self._places_of(room), limit - len(chosen)))
            if len(found) > free:
                self._crowded.add(room.endpoint_id)
            # What is paced waits for the look at all.
            chosen += [one for one in found if one.seq > (room.drain_until_seq or 0)][:free]
        if not chosen:
            return []
        won = set(self._mark(connection, [one.seq for one in chosen], now))
        return [one for one in chosen if one.seq in won]

    def _places_of(self, room: Room) -> int:
        return min(self._at_once, room.most or self._at_once) - room.under_way

    def _take(
        self,
        found: Sequence[Room],
        wanted: Mapping[str, Sequence[int]],
        limit: int,
        now: datetime,
    ) -> list[Claimed]:
        # One of each endpoint in turn, so that none takes all the places.
        turns = chain.from_iterable(zip_longest(*wanted.values()))
        chosen = [seq for seq in turns if seq is not None]
        if not chosen:
            return []
        if len(chosen) > limit:
            self._crowded.update(wanted)
            chosen = chosen[:limit]
        # A claim that a power cut undoes is a delivery that is due: nothing is lost with it.
        won = self._commits.run(lambda c: self._win(c, chosen, now), is_lasting=False)
        self._note_drained(found, won, now)
        return won

    def _candidates(
        self, connection: Connection, room: Room, limit: int, now: datetime
    ) -> list[int]:
        free = min(limit, self._places_of(room))
        if free <= 0:
            self._crowded.add(room.endpoint_id)
            return []
        drain_until = room.drain_until_seq or 0
        paced = self._pace.left(room.endpoint_id, now) if drain_until else 0
        after = 0 if paced else drain_until
        look = Look(connection, room.endpoint_id, now, after)
        found = look.loose(free)
        found += self._in_order(look, free - len(found))
        if len(found) < free:
            self._crowded.discard(room.endpoint_id)
        else:
            self._crowded.add(room.endpoint_id)
        waited = [seq for seq in found if seq <= drain_until][:paced]
        return waited + [seq for seq in found if seq > drain_until]

    def _in_order(self, look: Look, free: int) -> list[int]:
        """Return the first delivery of up to `free` queues, beginning where the last look ended."""
        start = self._ended_at.pop(look.endpoint_id, "")
        found: list[tuple[str, int]] = []
        for beyond, up_to in [(start, None), ("", start)] if start else [("", None)]:
            if len(found) < free:
                found += look.in_order(free - len(found), beyond=beyond, up_to=up_to)
        if found and len(found) == free:
            self._ended_at[look.endpoint_id] = found[-1][0]
        return [seq for _, seq in found]

    def _win(self, connection: Connection, chosen: Sequence[int], now: datetime) -> list[Claimed]:
        """Claim those that are still free, and return them."""
        take_turns(connection, "claim deliveries")
        places = self._places(connection, chosen)
        if not places:
            return []
        won = self._mark(connection, places, now)
        return load(connection, won) if won else []

    def _mark(self, connection: Connection, places: Sequence[int], now: datetime) -> list[int]:
        """Make these this worker's own, and return which of them were free."""
        values = {
            "places": places,
            "now": now,
            "owner": self._owner,
            "until": now + LEASE,
            "answers_until": now + LEASE + self._answers,
        }
        return [row[0] for row in _WIN.rows(connection, values)]

    def _places(self, connection: Connection, chosen: Sequence[int]) -> list[int]:
        """Leave out what would be one too many for its endpoint by now."""
        rows = connection.execute(_WHOSE, {"places": chosen}).all()
        under_way = connection.execute(_UNDER_WAY, {"ids": list({row[1] for row in rows})})
        taken = {row[0]: row[1] for row in under_way}
        kept = []
        for seq, endpoint_id, most in rows:
            taken[endpoint_id] = taken.get(endpoint_id, 0) + 1
            if taken[endpoint_id] <= min(self._at_once, most or self._at_once):
                kept.append(seq)
        return kept

    def _take_back_expired(self, now: datetime) -> None:
        # A read first: nearly always there is none. Nobody waits for this, so not with each claim.
        if self._looked_at is not None and now - self._looked_at < _LOOK_AGAIN:
            return
        self._looked_at = now
        with self._reader.connect() as connection:
            if connection.scalar(_IS_EXPIRED, {"now": now}) is None:
                return
        self._commits.run(lambda connection: connection.execute(_TAKE_BACK, {"now": now}))

    def release(self, owner: str) -> int:
        """Take back at once what a worker that is gone had claimed; return how many."""
        theirs = (
            update(deliveries)
            .where(deliveries.c.state == State.CLAIMED, deliveries.c.lease_owner == owner)
            .values(state=State.DUE, lease_owner=None, leased_until=None)
        )
        return self._commits.run(lambda connection: connection.execute(theirs).rowcount)

    def _note_drained(self, found: Iterable[Room], won: Iterable[Claimed], now: datetime) -> None:
        until = {room.endpoint_id: room.drain_until_seq or 0 for room in found}
        for one in won:
            if one.seq <= until[one.endpoint_id]:
                self._pace.note(one.endpoint_id, now)

    def _end_drain(self, endpoint_id: str) -> None:
        """Let an endpoint go at full speed again once its backlog is done."""
        waiting = exists().where(
            deliveries.c.endpoint_id == endpoints.c.id,
            deliveries.c.state.in_(OPEN),
            deliveries.c.seq <= endpoints.c.drain_until_seq,
        )
        over = (endpoints.c.id == endpoint_id) & ~waiting
        with self._reader.connect() as connection:
            if connection.scalar(select(endpoints.c.id).where(over)) is None:
                return
        end = update(endpoints).where(over).values(drain_until_seq=None)
        self._commits.run(lambda connection: connection.execute(end))
