"""Writing and reading the audit log."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session
from ulid import ULID

from tgm.audit.models import AuditEntry
from tgm.extensions import db
from tgm.shared.clock import utcnow
from tgm.shared.ids import new_id
from tgm.shared.paging import Page, page_of


@dataclass(frozen=True)
class Actor:
    """Who acts: a person by e-mail address, or the command line; and from which address."""

    name: str
    address: str | None = None


COMMAND_LINE = Actor("command line")
_SLACK_MS = 60_000


def record(
    session: Session,
    actor: Actor,
    action: str,
    *,
    team_id: ULID | None,
    subject_id: object = None,
    subject_name: str | None = None,
    **details: object,
) -> None:
    """Add an act to the transaction that does it, so that neither exists without the other.

    `details` must be plain JSON values and hold no secret.
    """
    session.add(
        AuditEntry(
            id=new_id(),
            at=utcnow(),
            team_id=team_id,
            actor=actor.name,
            address=actor.address,
            action=action,
            subject_id=None if subject_id is None else str(subject_id),
            subject_name=subject_name,
            details=details,
        )
    )


@dataclass(frozen=True)
class Filter:
    """Which acts are wanted. `actor` is a part of a name, in any case; `since` is included."""

    actor: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions on the log's rows."""
        if self.actor:
            yield AuditEntry.actor.icontains(self.actor, autoescape=True)
        if self.action:
            yield AuditEntry.action == self.action
        if self.since is not None:
            # An entry's id was made just before its time was read: the index on the ids ends the
            # search where nothing younger follows.
            yield AuditEntry.id >= _first_id(self.since)
            yield AuditEntry.at >= self.since
        if self.until is not None:
            yield AuditEntry.at < self.until


def page(
    team_id: ULID, before: ULID | None = None, wanted: Filter | None = None, *, size: int = 50
) -> Page[AuditEntry]:
    """Return a team's acts, the newest first, older than the entry `before`."""
    query = select(AuditEntry).where(AuditEntry.team_id == team_id)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    if wanted is not None:
        query = query.where(*wanted.conditions())
    return page_of(db.session.scalars(query.order_by(AuditEntry.id.desc()).limit(size + 1)), size)


def _first_id(at: datetime) -> ULID:
    """Return an id that is smaller than any made at this time or later."""
    milliseconds = max(0, int(at.timestamp() * 1000) - _SLACK_MS)
    return ULID.from_bytes(milliseconds.to_bytes(6) + bytes(10))
