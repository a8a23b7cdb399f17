"""Counting attempts as they are recorded."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table

from tgm.database import insert_or_add
from tgm.shared.clock import from_epoch
from tgm.shared.spans import STEPS
from tgm.webhook.figure_models import DeliveryFigure, Outcome
from tgm.webhook.models import State
from tgm.webhook.prepared import Prepared

if TYPE_CHECKING:
    from tgm.webhook.recording import Ended

_MILLISECOND = timedelta(milliseconds=1)
_OUTCOMES = {
    State.DELIVERED: Outcome.DELIVERED,
    State.DUE: Outcome.FAILED,
    State.DEAD: Outcome.GIVEN_UP,
}

figures: Table = DeliveryFigure.__table__  # type: ignore[assignment]
# By dialect.
_ADD: dict[str, Prepared] = {}


def note(connection: Connection, ended: Iterable[tuple["Ended", datetime]]) -> None:
    """Add attempts to the figures, each with when its delivery was made."""
    rows: dict[tuple[str, int, int, Outcome], dict[str, Any]] = {}
    for one, made_at in ended:
        took = max(0, (one.at - made_at) // _MILLISECOND)
        second, outcome = int(one.at.timestamp()), _OUTCOMES[one.state]
        for step in STEPS:
            begun = second // step * step
            row = rows.setdefault(
                (one.endpoint_id, step, begun, outcome),
                {
                    "endpoint_id": one.endpoint_id,
                    "step": step,
                    "at": from_epoch(begun),
                    "outcome": outcome,
                    "attempts": 0,
                    "milliseconds": 0,
                    "slowest": 0,
                },
            )
            row["attempts"] += 1
            row["milliseconds"] += took
            row["slowest"] = max(row["slowest"], took)
    # Always in the same order: of two processes that add to the same rows, one waits for the other.
    values = [rows[key] for key in sorted(rows)]
    dialect = connection.dialect.name
    if dialect not in _ADD:
        columns = ["attempts", "milliseconds"], ["slowest"]
        _ADD[dialect] = Prepared(insert_or_add(connection, figures, *columns))
    _ADD[dialect].run(connection, values)
