"""Counting calls as they are written to the log, and forgetting old counts."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, Table, delete, func, select

from tgm.database import insert_or_add
from tgm.proxy.models import RequestFigure
from tgm.shared.clock import from_epoch
from tgm.shared.spans import FIVE_MINUTES, HOUR, KEPT, STEPS

if TYPE_CHECKING:
    from tgm.proxy.requestlog import LogRow

TEAM, BOT, KEY = "team", "bot", "key"
_DAY = timedelta(days=1)

figures: Table = RequestFigure.__table__  # type: ignore[assignment]
_NAMES = tuple(column.name for column in figures.primary_key)


def note(connection: Connection, rows: Iterable["LogRow"]) -> None:
    """Add the calls to the figures, in the transaction that writes them to the log."""
    counts = Counter(key for row in rows for key in _keys(row))
    # Always in the same order: of two processes that add to the same rows, one waits for the other.
    values = [
        {**dict(zip(_NAMES, key, strict=True)), "at": from_epoch(key[3]), "calls": calls}
        for key, calls in sorted(counts.items())
    ]
    if values:
        connection.execute(insert_or_add(connection, figures, ["calls"]), values)


def _keys(row: "LogRow") -> list[tuple[str, str, int, int, str, str, int]]:
    """Return where a call counts: the primary keys, with the time in seconds."""
    second, kind = int(row.at.timestamp()), (row.source, row.status // 100)
    hour, five = second // HOUR * HOUR, second // FIVE_MINUTES * FIVE_MINUTES
    keys = [
        (row.team_id, TEAM, FIVE_MINUTES, five, row.team_id, *kind),
        (row.team_id, TEAM, HOUR, hour, row.team_id, *kind),
        (row.team_id, KEY, HOUR, hour, row.key_id, *kind),
    ]
    if row.bot_id is not None:
        keys.append((row.team_id, BOT, HOUR, hour, row.bot_id, *kind))
    return keys


def purge(engine: Engine, table: Table, now: datetime, longest: timedelta) -> None:
    """Delete old figures from a table with `step` and `at`, a day's at a time.

    Those by the hour stay for the longest span that is shown, and for `longest` if that is more.
    """
    for step in STEPS:
        keep = max(KEPT[step], longest) if step == HOUR else KEPT[step]
        limit = now - keep
        mine = table.c.step == step
        while True:
            with engine.connect() as connection:
                oldest = connection.scalar(select(func.min(table.c.at)).where(mine))
            if oldest is None or oldest >= limit:
                break
            until = min(oldest + _DAY, limit)
            with engine.begin() as connection:
                connection.execute(delete(table).where(mine, table.c.at < until))
