"""Rows that a test needs to stand on."""

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from ulid import ULID

from tests.browsing import sign_in
from tgm.audit.models import AuditEntry
from tgm.audit.service import COMMAND_LINE
from tgm.auth import service as people
from tgm.auth.models import Team
from tgm.auth.roles import Role
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


def browser_of(app: Flask, team_id: ULID, role: Role) -> FlaskClient:
    """Return a browser in which somebody with this role has signed in."""
    email = f"{role.value}@example.com"
    people.add_user(email, PASSWORD, role, team_id, COMMAND_LINE)
    client = app.test_client()
    assert sign_in(client, email, PASSWORD).status_code == 303
    return client


def acts(team_id: ULID) -> list[AuditEntry]:
    """Return what the audit log says of a team, the oldest first."""
    query = select(AuditEntry).where(AuditEntry.team_id == team_id).order_by(AuditEntry.id)
    return list(db.session.scalars(query))
