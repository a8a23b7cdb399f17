"""Calls counted by time, for cards and charts. Never reads the request log itself."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from ulid import ULID

from tgm.extensions import db, runtime
from tgm.proxy.counting import BOT, KEY, TEAM, figures
from tgm.shared.marks import TELEGRAM
from tgm.shared.spans import HOUR, SPANS, Span, sort, starts


class Outcome(StrEnum):
    """How a call ended, and who said so: Telegram, or TGM in its place."""

    DONE = "done"
    TELEGRAM_ERROR = "telegram_error"
    REFUSED = "refused"
    FAILED = "failed"


def _calls(those: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.sum(case((those, figures.c.calls), else_=0))


_column = figures.c
_IS_ERROR = _column.status >= 4
_IS_TELEGRAM = _column.source == TELEGRAM
_CALLS: ColumnElement[Any] = func.sum(_column.calls)
# Summed by the database: a row for each time is all that has to be read.
_OUTCOMES = {
    Outcome.DONE: _calls(~_IS_ERROR),
    Outcome.TELEGRAM_ERROR: _calls(_IS_TELEGRAM & _IS_ERROR),
    Outcome.REFUSED: _calls(~_IS_TELEGRAM & (_column.status == 4)),
    Outcome.FAILED: _calls(~_IS_TELEGRAM & (_column.status > 4)),
}


@dataclass(frozen=True)
class Totals:
    """How many calls there were; `errors` are those that were answered 400 or above."""

    calls: int = 0
    errors: int = 0


@dataclass(frozen=True)
class Series:
    """The calls of a span: when its pieces begin, and for each outcome as many counts."""

    starts: tuple[datetime, ...]
    counts: dict[Outcome, tuple[int, ...]]


def totals_by_bot(team_id: ULID, since: datetime) -> dict[ULID, Totals]:
    """Return the calls of each bot that was called in an hour that began at `since` or later."""
    sums = [_CALLS, _calls(_IS_ERROR)]
    rows = _read(team_id, BOT, HOUR, since, [_column.subject_id], sums)
    return {bot_id: Totals(int(calls), int(errors)) for bot_id, calls, errors in rows}


def hourly_by_key(team_id: ULID, now: datetime) -> dict[ULID, tuple[int, ...]]:
    """Return the calls of each key that was used: one count for each of 24 hours, oldest first."""
    begun = starts(SPANS["24h"], now)
    rows = _read(team_id, KEY, HOUR, begun[0], [_column.at, _column.subject_id], [_CALLS])
    counts: dict[ULID, list[int]] = defaultdict(lambda: [0] * len(begun))
    for place, (key_id, calls) in sort(((row[0], row[1:]) for row in rows), begun):
        counts[key_id][place] += int(calls)
    return {key_id: tuple(each) for key_id, each in counts.items()}


def series(team_id: ULID, span: Span, now: datetime, zone: tzinfo = UTC) -> Series:
    """Return a team's calls over a span, its days cut as in `zone`."""
    begun = starts(span, now, zone)
    rows = _read(team_id, TEAM, span.step, begun[0], [_column.at], list(_OUTCOMES.values()))
    counts = {outcome: [0] * len(begun) for outcome in _OUTCOMES}
    for place, found in sort(((row[0], row[1:]) for row in rows), begun):
        for outcome, calls in zip(_OUTCOMES, found, strict=True):
            counts[outcome][place] += int(calls)
    return Series(begun, {outcome: tuple(each) for outcome, each in counts.items()})


def _read(
    team_id: ULID,
    about: str,
    step: int,
    since: datetime,
    names: Sequence[ColumnElement[Any]],
    sums: Sequence[ColumnElement[Any]],
) -> Sequence[Any]:
    """Select the sums for each combination of the named columns."""
    # What was answered a moment ago counts.
    runtime.request_log.flush()
    query = (
        select(*names, *sums)
        .where(
            _column.team_id == team_id,
            _column.about == about,
            _column.step == step,
            _column.at >= since,
        )
        .group_by(*names)
    )
    # A connection of its own: `db.session` may have begun to read before the flush, and ending that
    # would make the caller's rows stale.
    with db.engine.connect() as connection:
        return connection.execute(query).all()
