"""A claimed delivery, with all that an attempt needs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    Table,
    bindparam,
    select,
    type_coerce,
)

from tgm.bots.models import Bot, token_place
from tgm.webhook.candidates import deliveries, endpoints
from tgm.webhook.models import StoredUpdate

_bots: Table = Bot.__table__  # type: ignore[assignment]
_updates: Table = StoredUpdate.__table__  # type: ignore[assignment]


@dataclass(frozen=True)
class Claimed:
    """A delivery that this worker alone may attempt. `number` counts attempts, from 1."""

    seq: int
    id: str
    endpoint_id: str
    bot_id: str
    update_seq: int
    number: int
    holds_until: datetime | None
    url: str = field(repr=False)
    raw: bytes = field(repr=False)
    sealed_secret: str = field(repr=False)
    sealed_old_secret: str | None = field(repr=False)
    old_secret_until: datetime | None
    takes_answers: bool
    sealed_secret_token: str | None = field(repr=False)
    sealed_token: str = field(repr=False)
    api_base_url: str | None

    @property
    def token_place(self) -> str:
        """Where the sealed token belongs, for the vault."""
        return token_place(self.bot_id)

    def secret_place(self, column: str) -> str:
        """Where a sealed secret belongs, for the vault."""
        return f"endpoints:{self.endpoint_id}:{column}"


_ids = ("id", "endpoint_id", "bot_id")
_columns = (
    # Ids as text: reading them as ULIDs would cost more than the rest of the row.
    *(type_coerce(deliveries.c[name], String).label(name) for name in _ids),
    *(deliveries.c[name] for name in ("seq", "update_seq", "holds_until")),
    *(endpoints.c[name] for name in ("url", "sealed_secret", "sealed_old_secret")),
    endpoints.c.old_secret_until,
    endpoints.c.takes_answers,
    endpoints.c.sealed_secret_token,
    (deliveries.c.attempts_made + 1).label("number"),
    _updates.c.raw,
    _bots.c.sealed_token,
    _bots.c.api_base_url,
)

_names = [column.key for column in _columns]


def query(*more: ColumnElement[Any]) -> Select[Any]:
    """Select the columns of a `Claimed`, and more behind them, the earliest delivery first."""
    return (
        select(*_columns, *more)
        .join_from(deliveries, endpoints, endpoints.c.id == deliveries.c.endpoint_id)
        .join(_updates, _updates.c.seq == deliveries.c.update_seq)
        .join(_bots, _bots.c.id == deliveries.c.bot_id)
        .order_by(deliveries.c.seq)
    )


_QUERY = query().where(deliveries.c.seq.in_(bindparam("seqs", expanding=True)))


def load(connection: Connection, seqs: Sequence[int]) -> list[Claimed]:
    """Return these deliveries, those left out whose endpoint has just been removed."""
    return [of(row) for row in connection.execute(_QUERY, {"seqs": seqs})]


def of(row: Sequence[Any]) -> Claimed:
    """Make one of a row that begins with the columns of `query`."""
    return Claimed(**dict(zip(_names, row, strict=False)))
