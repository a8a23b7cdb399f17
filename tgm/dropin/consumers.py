"""Each program's own place in the row of a bot's updates. Core, not ORM: long polls ask here."""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Engine,
    Row,
    Select,
    Table,
    delete,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.orm import Session

from tgm.audit.service import Actor, record
from tgm.database import insert_or_ignore
from tgm.dropin.models import Consumer
from tgm.keys.snapshot import KnownBot, KnownKey
from tgm.shared.clock import utcnow
from tgm.shared.ids import new_id
from tgm.telegram.catalog import UPDATE_KINDS
from tgm.webhook.models import Endpoint, StoredUpdate

HELD_BACK = timedelta(hours=24)
"""How long an update waits for a program, as at Telegram."""
# Telegram sends these only to those who name them.
ASKED_FOR_ONLY = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
USUAL = tuple(kind for kind in UPDATE_KINDS if kind not in ASKED_FOR_ONLY)
_POLLED_EVERY = timedelta(minutes=1)

_consumers: Table = Consumer.__table__  # type: ignore[assignment]
_endpoints: Table = Endpoint.__table__  # type: ignore[assignment]
_updates: Table = StoredUpdate.__table__  # type: ignore[assignment]


@dataclass(frozen=True)
class Place:
    """Which program at which bot."""

    consumer_id: str
    bot_id: str


@dataclass(frozen=True)
class Standing:
    """How far a program has come: see `Consumer`."""

    place: Place
    cursor: int
    kinds: tuple[str, ...] | None
    polled_at: datetime | None
    has_endpoint: bool = False
    holder: str | None = None


class Consumers:
    """Reads and moves cursors. One for the whole process, shared between threads."""

    def __init__(self, reader: Engine, writer: Engine) -> None:
        self.id = str(new_id())
        self._reader = reader
        self._writer = writer
        # How far each program has been handed updates: what it confirms, it has seen. After a
        # restart this is not known, and confirming is more careful.
        self._handed: dict[Place, int] = {}
        self._lock = threading.Lock()

    def standing(self, place: Place) -> Standing | None:
        """Return how far the program has come, None before its first call."""
        table = _consumers.c
        endpoint = exists().where(
            _endpoints.c.consumer_id == table.id, _endpoints.c.bot_id == table.bot_id
        )
        query = select(
            table.cursor,
            table.kinds,
            table.polled_at,
            table.holder,
            endpoint.label("has_endpoint"),
        )
        query = query.where(table.id == place.consumer_id, table.bot_id == place.bot_id)
        with self._reader.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        chosen = row.kinds and tuple(row.kinds)
        holder = row.holder and str(row.holder)
        return Standing(place, row.cursor, chosen, row.polled_at, row.has_endpoint, holder)

    def begin(self, key: KnownKey, bot: KnownBot, actor: Actor) -> Standing:
        """Give a new program its place: after every update that is here."""
        place = Place(key.consumer_id, bot.id)
        with Session(self._writer) as session, session.begin():
            last = select(func.max(_updates.c.seq)).where(_updates.c.bot_id == bot.id)
            made = session.execute(
                insert_or_ignore(session.connection(), _consumers).values(
                    id=place.consumer_id,
                    bot_id=bot.id,
                    cursor=session.scalar(last) or 0,
                    created_at=utcnow(),
                )
            )
            if made.rowcount:  # type: ignore[attr-defined]
                record(
                    session,
                    actor,
                    "consumer.began",
                    team_id=key.team,
                    subject_id=bot.id,
                    key=key.id,
                )
        found = self.standing(place)
        assert found is not None, "it has just been made"  # noqa: S101
        return found

    def forget(self, standing: Standing) -> None:
        """Take a program's place away again, as if it had never asked."""
        table, place = _consumers.c, standing.place
        with self._writer.begin() as connection:
            connection.execute(
                delete(_consumers).where(
                    table.id == place.consumer_id, table.bot_id == place.bot_id
                )
            )

    def ask_for(self, standing: Standing, kinds: Sequence[str] | None) -> Standing:
        """Remember which kinds the program wants; None or nothing means the usual ones."""
        wanted = tuple(kinds) if kinds else None
        if wanted != standing.kinds:
            self._write(standing.place, kinds=None if wanted is None else list(wanted))
        return replace(standing, kinds=wanted)

    def seen(self, standing: Standing, now: datetime) -> None:
        """Note that the program polls, and polls here.

        To the minute, and once for a program that stays: idle polls should cost no commit.
        """
        is_new_here = standing.holder != self.id
        if is_new_here:
            with self._lock:
                # Another process has handed out more than this one knows of.
                self._handed.pop(standing.place, None)
        if is_new_here or standing.polled_at is None or now - standing.polled_at >= _POLLED_EVERY:
            self._write(standing.place, polled_at=now, holder=self.id)

    def let_go(self, standing: Standing) -> None:
        """End the program's polls at every process: it has a webhook now."""
        self._write(standing.place, holder=None)

    def taken_away(self, places: Collection[Place]) -> dict[Place, str | None]:
        """Return the holder of those places whose polls do not count here any more."""
        table = _consumers.c
        query = select(table.id, table.bot_id, table.holder).where(
            table.id.in_({place.consumer_id for place in places}),
            table.holder.is_distinct_from(self.id),
        )
        with self._reader.connect() as connection:
            rows = connection.execute(query).all()
        found = {Place(str(row.id), str(row.bot_id)): row.holder for row in rows}
        return {place: found[place] for place in places if place in found}

    def confirm(self, standing: Standing, offset: int) -> Standing:
        """Move past what the program has processed, as Telegram does.

        A positive offset confirms every update with a lower update_id that the program was handed.
        A negative one leaves the last so many that wait, and forgets those before them; 0 nothing.
        """
        if offset == 0:
            return standing
        with self._reader.connect() as connection:
            query = self._kept_back(standing, -offset) if offset < 0 else None
            if query is None:
                query = self._confirmed(standing, offset, connection)
            cursor = connection.scalar(query) if query is not None else None
        if cursor is None or cursor <= standing.cursor:
            return standing
        return self.move(standing, cursor)

    def move(self, standing: Standing, cursor: int) -> Standing:
        """Let the program go on behind `cursor`; never backwards."""
        self._write(standing.place, _consumers.c.cursor < cursor, cursor=cursor)
        return replace(standing, cursor=max(cursor, standing.cursor))

    def waiting(self, standing: Standing, limit: int, now: datetime) -> Sequence[bytes]:
        """Return the oldest updates that wait, as received; they count as handed to the program."""
        query = self._waiting(standing, now).order_by(_updates.c.seq).limit(limit)
        with self._reader.connect() as connection:
            rows: Sequence[Row[Any]] = connection.execute(query).all()
        if rows:
            with self._lock:
                handed = self._handed.get(standing.place, 0)
                self._handed[standing.place] = max(handed, rows[-1].seq)
        return [row.raw for row in rows]

    def pending(self, standing: Standing, now: datetime) -> int:
        """Count what waits for the program."""
        query = select(func.count()).select_from(self._waiting(standing, now).subquery())
        with self._reader.connect() as connection:
            return connection.scalar(query) or 0

    def newest(self, bot_ids: Collection[str]) -> dict[str, int]:
        """Return the number of each bot's newest update."""
        query = select(_updates.c.bot_id, func.max(_updates.c.seq))
        query = query.where(_updates.c.bot_id.in_(bot_ids)).group_by(_updates.c.bot_id)
        with self._reader.connect() as connection:
            return {str(bot_id): seq for bot_id, seq in connection.execute(query)}

    def _waiting(self, standing: Standing, now: datetime) -> Select[Any]:
        table = _updates.c
        return select(table.seq, table.update_id, table.raw).where(
            *_after(standing),
            table.kind.in_(standing.kinds or USUAL),
            table.received_at > now - HELD_BACK,
        )

    def _kept_back(self, standing: Standing, count: int) -> Select[Any]:
        last = self._waiting(standing, utcnow()).order_by(_updates.c.seq.desc()).limit(count)
        return select(func.min(last.subquery().c.seq) - 1)

    def _confirmed(self, standing: Standing, offset: int, connection: Any) -> Select[Any] | None:
        table = _updates.c
        with self._lock:
            handed = self._handed.get(standing.place)
        top = select(func.max(table.seq)).where(*_after(standing))
        if handed is not None:
            return top.where(table.seq <= handed, table.update_id < offset)
        # A program goes on where it was before TGM began anew: at the update behind this one.
        last = select(table.seq).where(
            table.bot_id == standing.place.bot_id,
            table.update_id == offset - 1,
            table.is_test.is_(False),
        )
        if connection.scalar(last) is not None:
            return last
        # It names none that is here: everything before the first one that it has not named.
        kept = select(func.min(table.seq)).where(*_after(standing), table.update_id >= offset)
        first = connection.scalar(kept)
        return top if first is None else top.where(table.seq < first)

    def _write(self, place: Place, *conditions: ColumnElement[bool], **values: Any) -> None:
        table = _consumers.c
        with self._writer.begin() as connection:
            connection.execute(
                update(_consumers)
                .where(table.id == place.consumer_id, table.bot_id == place.bot_id, *conditions)
                .values(**values)
            )


def _after(standing: Standing) -> tuple[ColumnElement[bool], ...]:
    table = _updates.c
    return (
        table.bot_id == standing.place.bot_id,
        table.seq > standing.cursor,
        # What a person sends to try an endpoint is no update of Telegram's.
        table.is_test.is_(False),
    )
