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

_ERRORS = 4  # the statuses from 400 on


class Outcome(StrEnum):
    """How a call ended, and who said so: Telegram, or TGM in its place."""

    DONE = "done"
    TELEGRAM_ERROR = "telegram_error"
    REFUSED = "refused"
    FAILED = "failed"


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


def outcome(source: str, status: int) -> Outcome:
    """Return how a call ended. `status` is the hundreds of the status, such as 4."""
    if status < _ERRORS:
        return Outcome.DONE
    if source == TELEGRAM:
        return Outcome.TELEGRAM_ERROR
    return Outcome.REFUSED if status == _ERRORS else Outcome.FAILED


def totals_by_bot(team_id: ULID, since: datetime) -> dict[ULID, Totals]:
    """Return the calls of each bot that was called in an hour that began at `since` or later."""
    rows = _read(team_id, BOT, HOUR, since, [figures.c.subject_id])
    return {bot_id: Totals(int(calls), int(failed)) for bot_id, calls, failed in rows}


def hourly_by_key(team_id: ULID, now: datetime) -> dict[ULID, tuple[int, ...]]:
    """Return the calls of each key that was used: one count for each of 24 hours, oldest first."""
    column, begun = figures.c, starts(SPANS["24h"], now)
    rows = _read(team_id, KEY, HOUR, begun[0], [column.subject_id, column.at])
    counts: dict[ULID, list[int]] = defaultdict(lambda: [0] * len(begun))
    by_time = ((at, (key_id, int(calls))) for key_id, at, calls, _ in rows)
    for place, (key_id, calls) in sort(by_time, begun):
        counts[key_id][place] += calls
    return {key_id: tuple(each) for key_id, each in counts.items()}


def series(team_id: ULID, span: Span, now: datetime, zone: tzinfo = UTC) -> Series:
    """Return a team's calls over a span, its days cut as in `zone`."""
    column, begun = figures.c, starts(span, now, zone)
    kinds = [column.at, column.source, column.status]
    rows = _read(team_id, TEAM, span.step, begun[0], kinds)
    counts = {each: [0] * len(begun) for each in Outcome}
    by_time = ((at, (outcome(*kind), int(calls))) for at, *kind, calls, _ in rows)
    for place, (ended, calls) in sort(by_time, begun):
        counts[ended][place] += calls
    return Series(begun, {each: tuple(found) for each, found in counts.items()})


def _read(
    team_id: ULID, about: str, step: int, since: datetime, names: Sequence[ColumnElement[Any]]
) -> Sequence[Any]:
    """Select the sum of the calls, and of the errors, for each combination of the named columns."""
    # What was answered a moment ago counts.
    runtime.request_log.flush()
    column = figures.c
    errors = func.sum(case((column.status >= _ERRORS, column.calls), else_=0))
    query = (
        select(*names, func.sum(column.calls), errors)
        .where(
            column.team_id == team_id,
            column.about == about,
            column.step == step,
            column.at >= since,
        )
        .group_by(*names)
    )
    # A connection of its own: `db.session` may have begun to read before the flush, and ending that
    # would make the caller's rows stale.
    with db.engine.connect() as connection:
        return connection.execute(query).all()
