"""Keeping what became of attempts. Those that end together share one commit."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import (
    Connection,
    Exists,
    Table,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from tgm.webhook import counting
from tgm.webhook.candidates import deliveries, endpoints
from tgm.webhook.commits import Commits
from tgm.webhook.models import Attempt, State
from tgm.webhook.prepared import Prepared
from tgm.webhook.schedule import GIVE_UP_AFTER

log = logging.getLogger(__name__)

GONE = "gone"
FAILING = "failing"

_attempts: Table = Attempt.__table__  # type: ignore[assignment]


@dataclass
class Ended:
    """An attempt that is over, and what follows for its delivery.

    `attempt` holds the columns of its row. `problem` is None where it was delivered, else a few
    words. `is_gone` says that the receiver wants nothing any more. `is_kept`: it is on disk, and
    `leaves_more` says whether another of its queue was due by then.
    """

    seq: int
    endpoint_id: str
    at: datetime
    attempt: dict[str, Any] = field(repr=False)
    state: State
    next_at: datetime | None
    holds_until: datetime | None
    problem: str | None
    is_gone: bool = False
    update_seq: int | None = None
    is_kept: bool = False
    leaves_more: bool = False

    def as_values(self) -> dict[str, Any]:
        """Return the delivery's columns, and its number as `this`."""
        is_final = self.state is not State.DUE
        return {
            "this": self.seq,
            "state": self.state,
            "attempts_made": self.attempt["number"],
            "next_at": self.next_at,
            "holds_until": self.holds_until,
            "lease_owner": None,
            "leased_until": None,
            "finished_at": self.at if is_final else None,
            "last_status": self.attempt["status"],
            "last_error": self.problem,
        }


class Recorder:
    """Writes what has ended. Safe to share between threads."""

    def __init__(self, commits: Commits, owner: str) -> None:
        self._commits = commits
        self._owner = owner

    def keep(self, batch: Sequence[Ended]) -> None:
        """Return when they are on disk, each of them marked `is_kept`.

        One that cannot be written is logged: its lease runs out, and it is attempted again.
        """
        try:
            self._commits.run(lambda connection: _write(connection, batch, self._owner))
        except Exception as error:
            if len(batch) > 1:
                # One bad row must not take all with it.
                for one in batch:
                    self.keep([one])
                return
            log.exception("an attempt could not be kept: %s", type(error).__name__)
            return
        for one in batch:
            one.is_kept = True


_columns = deliveries.c
_following = deliveries.alias("following")


def _more_of_queue() -> Exists:
    return exists().where(
        _following.c.endpoint_id == _columns.endpoint_id,
        _following.c.state == State.DUE,
        _following.c.queue == _columns.queue,
        _following.c.seq != _columns.seq,
    )


_WHOSE = Prepared(
    select(
        _columns.seq,
        _columns.lease_owner,
        _columns.created_at,
        _more_of_queue().label("more"),
        (endpoints.c.failing_since.is_not(None) | endpoints.c.last_error.is_not(None)).label("ill"),
    )
    .join_from(deliveries, endpoints, endpoints.c.id == _columns.endpoint_id)
    .where(_columns.seq.in_(bindparam("seqs", expanding=True)))
    .with_for_update(of=deliveries),
    "seqs",
)
_KEEP_ATTEMPT = Prepared(insert(_attempts))
_CHANGED = (
    "state",
    "attempts_made",
    "next_at",
    "holds_until",
    "lease_owner",
    "leased_until",
    "finished_at",
    "last_status",
    "last_error",
)
_KEEP_DELIVERY = Prepared(
    update(deliveries)
    .where(_columns.seq == bindparam("this"))
    .values({name: bindparam(name) for name in _CHANGED})
)


def _write(connection: Connection, batch: Sequence[Ended], owner: str) -> None:
    # A removed endpoint has taken its deliveries along; a lost lease leaves the say to another.
    rows = _WHOSE.rows(connection, {"seqs": [one.seq for one in batch]})
    owners = {seq: lease_owner for seq, lease_owner, *_ in rows}
    more = {seq for seq, _, _, has_more, _ in rows if has_more}
    for one in batch:
        one.leaves_more = one.seq in more
    there = [one for one in batch if one.seq in owners]
    if not there:
        return
    _KEEP_ATTEMPT.run(connection, [one.attempt for one in there])
    mine = [one for one in there if owners[one.seq] == owner]
    if mine:
        _KEEP_DELIVERY.run(connection, [one.as_values() for one in mine])
        made_at = {seq: created_at for seq, _, created_at, *_ in rows}
        counting.note(connection, [(one, made_at[one.seq]) for one in mine])
    # Nearly always all is well and was before: then the endpoint needs no write.
    if not any(is_ill for *_, is_ill in rows) and all(one.problem is None for one in there):
        return
    by_endpoint = sorted(there, key=lambda one: one.endpoint_id)
    for endpoint_id, ended in groupby(by_endpoint, key=lambda one: one.endpoint_id):
        _note(connection, endpoint_id, sorted(ended, key=lambda one: one.at))


def _note(connection: Connection, endpoint_id: str, ended: Sequence[Ended]) -> None:
    """Keep how an endpoint is doing, given what has just ended there, the earliest first."""
    columns = endpoints.c
    this = update(endpoints).where(columns.id == endpoint_id)
    if any(one.problem is None for one in ended):
        connection.execute(
            this.where(
                or_(columns.failing_since.is_not(None), columns.last_error.is_not(None))
            ).values(failing_since=None, last_error=None)
        )
    last = ended[-1]
    if last.problem is not None:
        connection.execute(
            this.values(
                last_error=last.problem,
                failing_since=func.coalesce(columns.failing_since, last.at),
            )
        )
        long_since = columns.failing_since <= last.at - GIVE_UP_AFTER
        _pause(connection, endpoint_id, FAILING, last.at, long_since)
    if any(one.is_gone for one in ended):
        _pause(connection, endpoint_id, GONE, last.at)


def _pause(
    connection: Connection, endpoint_id: str, because: str, at: datetime, *conditions: Any
) -> None:
    paused = connection.execute(
        update(endpoints)
        .where(endpoints.c.id == endpoint_id, endpoints.c.paused_because.is_(None), *conditions)
        .values(paused_because=because, paused_at=at)
    )
    if paused.rowcount:
        log.warning("endpoint %s is paused: %s", endpoint_id, because)
