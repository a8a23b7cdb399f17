"""What becomes of a call that a receiver's answer asked for, once it has waited in the queue."""

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, Row, Table, select, update

from tgm.proxy.models import JobState
from tgm.webhook import answers
from tgm.webhook.models import Attempt, Delivery, Endpoint

TOLD = timedelta(minutes=2)
"""How long after its end a call's outcome is looked for: an attempt may be kept after that."""

_attempts: Table = Attempt.__table__  # type: ignore[assignment]
_deliveries: Table = Delivery.__table__  # type: ignore[assignment]
_endpoints: Table = Endpoint.__table__  # type: ignore[assignment]


def may_answer(reader: Engine, endpoint_id: str) -> bool:
    """Tell whether an endpoint's answers may still name a method to call."""
    query = select(_endpoints.c.id).where(
        _endpoints.c.id == endpoint_id,
        _endpoints.c.takes_answers.is_(True),
        # `key`: its program has no key any more that works.
        _endpoints.c.paused_because.is_distinct_from("key"),
    )
    with reader.connect() as connection:
        return connection.scalar(query) is not None


def tell(reader: Engine, writer: Engine, ended: Iterable[Row[Any]]) -> int:
    """Write the outcome of queued calls to the attempts that say they are queued.

    Return how many there were.
    """
    by_delivery = {str(job.token): job for job in ended}
    query = (
        select(_attempts.c.id, _deliveries.c.id.label("delivery_id"), _attempts.c.called)
        .join_from(_attempts, _deliveries, _deliveries.c.seq == _attempts.c.delivery_seq)
        .where(_deliveries.c.id.in_(by_delivery))
        .where(_attempts.c.called.endswith(f" {answers.QUEUED}"))
    )
    with reader.connect() as connection:
        waiting = connection.execute(query).all()
    if not waiting:
        return 0
    with writer.begin() as connection:
        for row in waiting:
            job = by_delivery[str(row.delivery_id)]
            connection.execute(
                update(_attempts)
                .where(_attempts.c.id == row.id)
                .values(called=answers.words(job.method, _outcome(job)))
            )
    return len(waiting)


def _outcome(job: Row[Any]) -> str:
    if job.state == JobState.DONE:
        return answers.OK
    if job.state == JobState.UNKNOWN:
        return f"{job.state}: {job.error or job.status}"
    if job.status is None:
        return f"{job.state}: {job.error}"
    return f"{job.status} {_description(job.answer)}"


def _description(answer: bytes | None) -> str:
    try:
        return str(json.loads(answer or b"")["description"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
