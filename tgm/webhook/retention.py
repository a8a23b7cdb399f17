"""Forgetting old updates with their deliveries and attempts, little by little.

An update stays, whatever its age and the room it takes, while one of its deliveries is open, and
while one that was given up has not been dead for the retention time. A bot's newest one stays, too.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import inf
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Table,
    and_,
    delete,
    func,
    literal,
    not_,
    or_,
    select,
)

from tgm.webhook.models import OPEN, Attempt, Delivery, State, StoredUpdate

GIGABYTE = 10**9
# Rows of each kind that one transaction looks at or deletes at most: others write in between.
_STEP = 500
_STEPS_IN_A_ROW = 40
# What a row takes beside its texts and bytes, its places in the indexes included; measured.
_ROW_BYTES = 500
# Once it is too much, some room is made: else every new update would cost a step of its own.
_KEPT_PERCENT = 98

_updates: Table = StoredUpdate.__table__  # type: ignore[assignment]
_deliveries: Table = Delivery.__table__  # type: ignore[assignment]
_attempts: Table = Attempt.__table__  # type: ignore[assignment]

_OWN_BYTES = func.length(_updates.c.raw) + 2 * func.length(_updates.c.words)
_BODY_BYTES = func.coalesce(func.length(_attempts.c.response_body), 0)
_SIZES: tuple[tuple[ColumnElement[int], ColumnElement[int]], ...] = (
    (_updates.c.seq, _OWN_BYTES + _ROW_BYTES),
    (_deliveries.c.seq, literal(_ROW_BYTES)),
    (_attempts.c.id, _BODY_BYTES + _ROW_BYTES),
)
# What belongs to one update. Asked for one by one: a join would multiply the updates.
_OF_UPDATE = _deliveries.c.update_seq == _updates.c.seq
# A bot's newest update stays, so that its number never comes again: programs remember how far they
# have come by it.
_LATER = _updates.alias()
_IS_LATER = and_(_LATER.c.bot_id == _updates.c.bot_id, _LATER.c.seq > _updates.c.seq)
_THEIRS = _attempts.join(_deliveries, _attempts.c.delivery_seq == _deliveries.c.seq)
_ROWS = (
    1
    + select(func.count()).select_from(_deliveries).where(_OF_UPDATE).scalar_subquery()
    + select(func.count()).select_from(_THEIRS).where(_OF_UPDATE).scalar_subquery()
)
_BODIES = func.coalesce(
    select(func.sum(_BODY_BYTES)).select_from(_THEIRS).where(_OF_UPDATE).scalar_subquery(), 0
)


class Room:
    """Knows how much room updates, deliveries and attempts take, by counting only what is new."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.forget()

    def forget(self) -> None:
        """Count anew next time: another process may have deleted, too."""
        self._bytes = 0
        self._counted = [0] * len(_SIZES)

    def bytes(self) -> int:
        """Return the bytes, as far as rows can tell."""
        with self._engine.connect() as connection:
            tops = _tops(connection)
            if any(top < before for top, before in zip(tops, self._counted, strict=True)):
                # The newest rows are gone, and their numbers may come again.
                self.forget()
            for place, (key, size) in enumerate(_SIZES):
                new = and_(key > self._counted[place], key <= tops[place])
                self._bytes += connection.scalar(select(func.sum(size)).where(new)) or 0
                self._counted[place] = tops[place]
        return self._bytes

    def less(self, gone: int, connection: Connection) -> None:
        """Take note of bytes that this connection has deleted and not yet committed."""
        self._bytes -= gone
        # The numbers of the newest rows may come again.
        pairs = zip(self._counted, _tops(connection), strict=True)
        self._counted = [min(counted, top) for counted, top in pairs]


def _tops(connection: Connection) -> list[int]:
    return [connection.scalar(select(func.max(key))) or 0 for key, _ in _SIZES]


class Retention:
    """Deletes what is too old, and the oldest of what is too much."""

    def __init__(self, writer: Engine, reader: Engine, *, days: int, gigabytes: float) -> None:
        self._engine = writer
        self._reader = reader
        self._room = Room(reader)
        self._keep = timedelta(days=days)
        self._most = int(gigabytes * GIGABYTE)
        # How far each walk has come: what may not go yet is not looked at again at every step.
        self._old_until = self._much_until = 0

    def purge(self, now: datetime) -> int:
        """Delete a bounded number of updates, and return how many. Meant to run again and again."""
        # What goes must have been counted before it can be taken off.
        self._room.bytes()
        return self._purge_old(now) + self._purge_much(now)

    def _purge_old(self, now: datetime) -> int:
        limit, gone = now - self._keep, 0
        for _ in range(_STEPS_IN_A_ROW):
            rows = self._next(self._old_until, now)
            old = [row for row in rows if row.received_at < limit]
            done, deleted = self._delete(old, now)
            gone += deleted
            if done < len(old):
                self._old_until = old[done - 1].seq
            elif len(rows) < _STEP or rows[-1].received_at >= limit:
                # In the order of intake, what follows is young.
                self._old_until = 0
                break
            else:
                self._old_until = rows[-1].seq
        return gone

    def _purge_much(self, now: datetime) -> int:
        if self._room.bytes() <= self._most:
            return 0
        # Before anything goes that is not old, be sure of it.
        self._room.forget()
        if self._room.bytes() <= self._most:
            return 0
        gone, goal = 0, self._most * _KEPT_PERCENT // 100
        for _ in range(_STEPS_IN_A_ROW):
            rows = self._next(self._much_until, now)
            done, deleted = self._delete(rows, now, self._room.bytes() - goal)
            gone += deleted
            if not rows or self._room.bytes() <= goal:
                self._much_until = 0
                break
            self._much_until = rows[done - 1].seq
        return gone

    def _next(self, after: int, now: datetime) -> Sequence[Row[Any]]:
        """Return some updates that follow, in the order of intake, with what each would free."""
        query = (
            select(
                _updates.c.seq,
                _updates.c.received_at,
                self._held(now).label("is_held"),
                _ROWS.label("rows"),
                (_OWN_BYTES + _BODIES + _ROW_BYTES * _ROWS).label("bytes"),
            )
            .where(_updates.c.seq > after)
            .order_by(_updates.c.seq)
            .limit(_STEP)
        )
        with self._reader.connect() as connection:
            return connection.execute(query).all()

    def _delete(
        self, rows: Sequence[Row[Any]], now: datetime, enough: float = inf
    ) -> tuple[int, int]:
        """Delete those that may go, as many as fit in one transaction or free `enough` bytes.

        Returns how many were dealt with, at least one of them, and how many are gone.
        """
        chosen: list[Row[Any]] = []
        done = weight = freed = 0
        for row in rows:
            if not row.is_held:
                if chosen and (weight + row.rows > _STEP or freed >= enough):
                    break
                chosen.append(row)
                weight += row.rows
                freed += row.bytes
            done += 1
        if not chosen:
            return done, 0
        mine = and_(_updates.c.seq.in_([row.seq for row in chosen]), not_(self._held(now)))
        with self._engine.begin() as connection:
            # Deliveries and attempts go with their update.
            gone = connection.execute(delete(_updates).where(mine)).rowcount
            self._room.less(freed, connection)
        return done, gone

    def _held(self, now: datetime) -> ColumnElement[bool]:
        freshly_dead = and_(
            _deliveries.c.state == State.DEAD, _deliveries.c.finished_at >= now - self._keep
        )
        is_wanted = or_(_deliveries.c.state.in_(OPEN), freshly_dead)
        held = select(_deliveries.c.seq).where(_OF_UPDATE, is_wanted).exists()
        return or_(held, not_(select(_LATER.c.seq).where(_IS_LATER).exists()))
