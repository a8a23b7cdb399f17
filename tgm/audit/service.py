"""Writing and reading the audit log."""

from dataclasses import dataclass

from sqlalchemy import select
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


def page(team_id: ULID, before: ULID | None = None, *, size: int = 50) -> Page[AuditEntry]:
    """Return a team's acts, the newest first, older than the entry `before`."""
    query = select(AuditEntry).where(AuditEntry.team_id == team_id)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return page_of(db.session.scalars(query.order_by(AuditEntry.id.desc()).limit(size + 1)), size)
