"""Attempts to deliver counted by time, for cards and charts. Never reads deliveries themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from sqlalchemy import ColumnElement, Table, func, select
from ulid import ULID

from tgm.bots.models import Bot
from tgm.extensions import db
from tgm.shared.spans import HOUR, Span, sort, starts
from tgm.webhook.candidates import endpoints
from tgm.webhook.counting import figures
from tgm.webhook.figure_models import Outcome

_bots: Table = Bot.__table__  # type: ignore[assignment]


@dataclass(frozen=True)
class DeliveryTotals:
    """How many attempts arrived, failed for the time being, and failed for good."""

    delivered: int = 0
    failed: int = 0
    given_up: int = 0


@dataclass(frozen=True)
class Series:
    """The attempts of a span: when its pieces begin, and for each outcome as many counts.

    `mean` and `slowest` are the milliseconds from making a delivery to its arrival, `mean_of_all`
    over the whole span; None where nothing arrived.
    """

    starts: tuple[datetime, ...]
    counts: dict[Outcome, tuple[int, ...]]
    mean: tuple[int | None, ...]
    slowest: tuple[int | None, ...]
    mean_of_all: int | None


def totals_by_bot(team_id: ULID, since: datetime) -> dict[ULID, DeliveryTotals]:
    """Return what each bot's attempts came to in the hours that began at `since` or later.

    A bot without an attempt is left out. Replays and test updates count as well.
    """
    rows = _read(
        team_id,
        HOUR,
        since,
        [endpoints.c.bot_id, figures.c.outcome],
        [func.sum(figures.c.attempts)],
    )
    counts: dict[ULID, dict[str, int]] = {}
    for bot_id, outcome, attempts in rows:
        counts.setdefault(bot_id, {})[outcome.value] = int(attempts)
    return {bot_id: DeliveryTotals(**found) for bot_id, found in counts.items()}


def series(team_id: ULID, span: Span, now: datetime, zone: tzinfo = UTC) -> Series:
    """Return a team's attempts over a span, its days cut as in `zone`."""
    begun, column = starts(span, now, zone), figures.c
    sums = [func.sum(column.attempts), func.sum(column.milliseconds), func.max(column.slowest)]
    rows = _read(team_id, span.step, begun[0], [column.at, column.outcome], sums)
    counts = {each: [0] * len(begun) for each in Outcome}
    took, slowest = [0] * len(begun), [0] * len(begun)
    by_time = ((row[0], row[1:]) for row in rows)
    for place, (outcome, attempts, milliseconds, longest) in sort(by_time, begun):
        counts[outcome][place] += int(attempts)
        if outcome is Outcome.DELIVERED:
            took[place] += int(milliseconds)
            slowest[place] = max(slowest[place], longest)
    arrived = counts[Outcome.DELIVERED]
    return Series(
        begun,
        {each: tuple(found) for each, found in counts.items()},
        tuple(total // n if n else None for total, n in zip(took, arrived, strict=True)),
        tuple(longest if n else None for longest, n in zip(slowest, arrived, strict=True)),
        sum(took) // sum(arrived) if any(arrived) else None,
    )


def _read(
    team_id: ULID,
    step: int,
    since: datetime,
    names: Sequence[ColumnElement[Any]],
    sums: Sequence[ColumnElement[Any]],
) -> Sequence[Any]:
    """Select the sums for each combination of the named columns."""
    query = (
        select(*names, *sums)
        .join_from(figures, endpoints, endpoints.c.id == figures.c.endpoint_id)
        .join(_bots, _bots.c.id == endpoints.c.bot_id)
        .where(_bots.c.team_id == team_id, figures.c.step == step, figures.c.at >= since)
        .group_by(*names)
    )
    # A connection of its own: `db.session` may have begun to read before the newest was counted.
    with db.engine.connect() as connection:
        return connection.execute(query).all()
