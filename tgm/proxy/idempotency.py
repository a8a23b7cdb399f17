"""Answers remembered by Idempotency-Key, so that a repeated call does not act twice."""

import json
import logging
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import Connection, Engine, Row, Table, delete, select, update

from tgm.database import insert_or_ignore
from tgm.proxy.answers import ProxyAnswer
from tgm.proxy.models import IdempotencyEntry
from tgm.shared.errors import Conflict, Invalid, TgmError
from tgm.shared.ids import new_id

log = logging.getLogger(__name__)

KEPT = timedelta(hours=24)
# Renewed every few seconds while its process lives; a crash frees the entry when it runs out.
LEASE = timedelta(seconds=60)
# Telegram's answers to anything worth repeating are far smaller.
WHOLE_BYTES = 4 * 1024 * 1024
_LONGEST_KEY = 255
_PURGE_STEP = 500

_table: Table = IdempotencyEntry.__table__  # type: ignore[assignment]


@dataclass(frozen=True)
class Ticket:
    """The right to make the call that an Idempotency-Key stands for."""

    key_id: str
    token: str


def token_of(header: str) -> str:
    """Return the hash that stands for an Idempotency-Key. Raises TgmError for a malformed one."""
    if not 1 <= len(header) <= _LONGEST_KEY or not header.isprintable():
        raise TgmError("Bad Request: Idempotency-Key must have 1 to 255 printable characters")
    return sha256(header.encode("utf-8", "surrogateescape")).hexdigest()


def is_final(status: int) -> bool:
    """Tell whether an answer is worth remembering: a repeat could only get the same."""
    return 200 <= status < 300 or (400 <= status < 500 and status != 429)


class IdempotencyStore:
    """The entries, in the database, so that they hold across processes and restarts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._owner = str(new_id())
        self._running: set[Ticket] = set()
        self._lock = threading.Lock()

    def begin(
        self, key_id: str, token: str, fingerprint: str, now: datetime
    ) -> Ticket | ProxyAnswer:
        """Return a ticket for a call not made before, or the answer that it got.

        Raises Invalid when the key stood for another request, Conflict while its call is under way.
        """
        ticket = Ticket(key_id, token)
        with self._engine.begin() as connection:
            mine = (_table.c.key_id == key_id) & (_table.c.token == token)
            connection.execute(delete(_table).where(mine, _table.c.created_at < now - KEPT))
            inserted = connection.execute(
                insert_or_ignore(connection, _table).values(
                    key_id=key_id,
                    token=token,
                    fingerprint=fingerprint,
                    owner=self._owner,
                    created_at=now,
                    leased_until=now + LEASE,
                )
            )
            if inserted.rowcount == 0:
                row = connection.execute(select(_table).where(mine).with_for_update()).one()
                if row.status is not None or row.fingerprint != fingerprint:
                    return _replay(row, fingerprint)
                self._take_over(connection, row, now)
        with self._lock:
            self._running.add(ticket)
        return ticket

    def _take_over(
        self, connection: Connection, row: Row[tuple[object, ...]], now: datetime
    ) -> None:
        if row.leased_until > now:
            raise Conflict(
                "Conflict: a call with this Idempotency-Key is still running", retry_after=1
            )
        log.warning(
            "a call with an Idempotency-Key was cut off by a crash at %s: API key %s, outcome"
            " unknown, the entry is free again",
            row.created_at.isoformat(),
            row.key_id,
        )
        connection.execute(
            update(_table)
            .where(_table.c.key_id == row.key_id, _table.c.token == row.token)
            .values(owner=self._owner, leased_until=now + LEASE, created_at=now)
        )

    def finish(self, ticket: Ticket, answer: ProxyAnswer) -> None:
        """Remember a whole answer if it is final; free the entry if it is not."""
        body = answer.body
        if not is_final(answer.status) or not isinstance(body, list):
            self.abandon(ticket)
            return
        kept = {
            "status": answer.status,
            "headers": json.dumps(answer.headers),
            "body": b"".join(body),
        }
        self._settle(ticket, kept)

    def abandon(self, ticket: Ticket) -> None:
        """Free the entry: the next call with this Idempotency-Key is made."""
        self._settle(ticket, None)

    def _settle(self, ticket: Ticket, kept: dict[str, object] | None) -> None:
        with self._lock:
            self._running.discard(ticket)
        own = (
            (_table.c.key_id == ticket.key_id)
            & (_table.c.token == ticket.token)
            & (_table.c.owner == self._owner)
        )
        with self._engine.begin() as connection:
            if kept is None:
                connection.execute(delete(_table).where(own))
            else:
                connection.execute(update(_table).where(own).values(**kept))

    def renew(self, now: datetime) -> None:
        """Prolong the leases of the calls that this process is making."""
        with self._lock:
            running = list(self._running)
        if not running:
            return
        with self._engine.begin() as connection:
            connection.execute(
                update(_table)
                .where(_table.c.owner == self._owner, _table.c.status.is_(None))
                .where(_table.c.token.in_([ticket.token for ticket in running]))
                .values(leased_until=now + LEASE)
            )

    def purge(self, now: datetime) -> None:
        """Delete what is older than 24 hours, and say so of calls whose outcome stayed unknown."""
        with self._engine.begin() as connection:
            old = connection.execute(
                select(_table.c.key_id, _table.c.token, _table.c.status)
                .where(_table.c.created_at < now - KEPT, _table.c.leased_until < now)
                .limit(_PURGE_STEP)
            ).all()
            for row in old:
                if row.status is None:
                    log.warning("an Idempotency-Key of API key %s: outcome unknown", row.key_id)
                connection.execute(
                    delete(_table).where(_table.c.key_id == row.key_id, _table.c.token == row.token)
                )


def _replay(row: Row[tuple[object, ...]], fingerprint: str) -> ProxyAnswer:
    if row.fingerprint != fingerprint:
        raise Invalid("Unprocessable Entity: this Idempotency-Key was used for another request")
    headers = [(str(name), str(value)) for name, value in json.loads(row.headers)]
    return ProxyAnswer(row.status, [*headers, ("Idempotency-Replayed", "true")], [row.body])
