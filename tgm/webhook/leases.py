"""Which process polls which bot: a lease in the bot's reception, and how far the polling is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, Table, and_, exists, or_, select, update

from tgm.bots.models import Bot, token_place
from tgm.bots.moves import Move
from tgm.shared.ids import new_id
from tgm.webhook.models import Mode, Reception

LEASE = timedelta(seconds=30)
# Not with each look: every renewal is a write to the disk.
_RENEW_BEFORE = timedelta(seconds=20)

_receptions: Table = Reception.__table__  # type: ignore[assignment]
_bots: Table = Bot.__table__  # type: ignore[assignment]
_moves: Table = Move.__table__  # type: ignore[assignment]


@dataclass(frozen=True)
class Turn:
    """What the next poll of a bot needs. The token stays sealed."""

    bot_id: str
    sealed_token: str = field(repr=False)
    offset: int | None
    allowed_updates: Sequence[str]
    problem: str | None
    api_base_url: str | None = None

    @property
    def token_place(self) -> str:
        """Where the sealed token belongs, for the vault."""
        return token_place(self.bot_id)


class Leases:
    """One process's leases. A poller that has lost its lease changes nothing any more."""

    def __init__(self, reader: Engine, writer: Engine, owner: str | None = None) -> None:
        """`owner` is the worker's id, so that who buries it frees its leases too."""
        self._reader = reader
        self._writer = writer
        self.owner = owner or str(new_id())

    def hold(self, now: datetime) -> set[str]:
        """Renew what this process holds, take what is free, and return the ids of all its bots."""
        columns = _receptions.c
        due = or_(
            columns.lease_owner.is_(None),
            columns.leased_until <= now,
            and_(self._mine, columns.leased_until <= now + _RENEW_BEFORE),
        )
        if self._is_there_one(and_(_polled(), due)):
            with self._writer.begin() as connection:
                connection.execute(
                    update(_receptions)
                    .where(_polled(), due)
                    .values(lease_owner=self.owner, leased_until=now + LEASE)
                )
        query = select(columns.bot_id).where(self._held, columns.leased_until > now)
        with self._reader.connect() as connection:
            return {str(bot_id) for bot_id in connection.scalars(query)}

    def turn(self, bot_id: str, now: datetime) -> Turn | None:
        """Return what to ask for next, None when the bot is no longer this process's to poll."""
        columns = _receptions.c
        query = (
            select(
                _bots.c.sealed_token,
                columns.offset,
                columns.allowed_updates,
                columns.problem,
                _bots.c.api_base_url,
            )
            .join_from(_receptions, _bots)
            .where(columns.bot_id == bot_id, self._held, columns.leased_until > now)
        )
        with self._reader.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Turn(bot_id, *row)

    def note(self, bot_id: str, **values: object) -> bool:
        """Keep how far the polling is, or what is wrong. False when the lease is somebody else's
        by now."""
        with self._writer.begin() as connection:
            changed = connection.execute(
                update(_receptions)
                .where(_receptions.c.bot_id == bot_id, self._held)
                .values(**values)
            )
            return changed.rowcount == 1

    def release(self) -> None:
        """Let other processes poll at once."""
        self.free(self.owner)

    def free(self, owner: str) -> None:
        """Let others poll at once what `owner`, which is gone, had leased."""
        theirs = _receptions.c.lease_owner == owner
        if not self._is_there_one(theirs):
            return
        with self._writer.begin() as connection:
            connection.execute(
                update(_receptions).where(theirs).values(lease_owner=None, leased_until=None)
            )

    @property
    def _mine(self) -> ColumnElement[bool]:
        return _receptions.c.lease_owner == self.owner

    @property
    def _held(self) -> ColumnElement[bool]:
        return and_(self._mine, _polled())

    def _is_there_one(self, condition: ColumnElement[bool]) -> bool:
        # A read first: an installation that polls nobody must not write every few seconds.
        with self._reader.connect() as connection:
            return connection.scalar(select(_receptions.c.bot_id).where(condition)) is not None


def _polled() -> ColumnElement[bool]:
    """Tell whether a bot is to be polled: not while it moves from one server to another."""
    moves = exists().where(_moves.c.bot_id == _receptions.c.bot_id)
    return and_(_receptions.c.mode == Mode.POLLING, ~moves)
