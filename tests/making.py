"""Rows that a test needs to stand on."""

from functools import cache

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from ulid import ULID
from werkzeug.security import generate_password_hash

from tests.browsing import sign_in
from tgm.audit.models import AuditEntry
from tgm.audit.service import COMMAND_LINE, record
from tgm.auth.models import Team
from tgm.auth.people import new_user
from tgm.auth.person import Person, person_of
from tgm.auth.roles import Role
from tgm.auth.teams import join
from tgm.database import writing
from tgm.extensions import db
from tgm.shared.clock import utcnow
from tgm.shared.ids import new_id

PASSWORD = "correct horse battery staple"


def make_team(name: str) -> ULID:
    """Make a team without people."""
    with writing() as session:
        team = Team(id=new_id(), name=name, created_at=utcnow())
        session.add(team)
    return team.id


@cache
def cheap_hash() -> str:
    """Return a hash of PASSWORD that is quick to make, and so to check: it names its own cost."""
    return generate_password_hash(PASSWORD, method="scrypt:128:8:1")


def make_person(email: str, role: Role, team_id: ULID, action: str = "user.added") -> Person:
    """Add somebody as `auth.service` does, but with a password that costs next to nothing."""
    with writing() as session:
        user = new_user(session, email, cheap_hash())
        join(session, team_id, user, role)
        record(
            session,
            COMMAND_LINE,
            action,
            team_id=team_id,
            subject_id=user.id,
            subject_name=user.email,
            role=role.value,
        )
        return person_of(session, user)


def browser_of(app: Flask, team_id: ULID, role: Role) -> FlaskClient:
    """Return a browser in which somebody with this role has signed in."""
    email = make_person(f"{role.value}@example.com", role, team_id).email
    client = app.test_client()
    assert sign_in(client, email, PASSWORD).status_code == 303
    return client


def acts(team_id: ULID) -> list[AuditEntry]:
    """Return what the audit log says of a team, the oldest first."""
    query = select(AuditEntry).where(AuditEntry.team_id == team_id).order_by(AuditEntry.id)
    return list(db.session.scalars(query))
