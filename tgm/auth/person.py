"""A signed-in person and their places in teams, as the rest of the program sees them."""

from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import select
from sqlalchemy.orm import Session
from ulid import ULID

from tgm.audit.service import Actor, record
from tgm.auth.models import Membership, Team, User
from tgm.auth.roles import Role
from tgm.extensions import db


@dataclass(frozen=True)
class TeamPlace:
    """A person's role in one team."""

    team_id: ULID
    team_name: str
    role: Role


@dataclass(frozen=True)
class Person:
    """Who is signed in. Flask-Login asks for the flags and for `get_id`.

    `places` is sorted by the team's name. `session_epoch` is part of every cookie, so that raising
    it ends them all. `session_id` is the session at hand, None outside of one.
    """

    id: ULID
    email: str
    session_epoch: int
    has_totp: bool
    places: tuple[TeamPlace, ...]
    session_id: ULID | None = None

    is_authenticated: ClassVar = True
    is_active: ClassVar = True
    is_anonymous: ClassVar = False

    def get_id(self) -> str:
        """Return what the session cookie keeps."""
        return f"{self.id}.{self.session_epoch}"


def person(user_id: ULID) -> Person | None:
    """Return a person, or None when they have been removed."""
    user = db.session.get(User, user_id, populate_existing=True)
    return None if user is None else person_of(db.session(), user)


def person_of(session: Session, user: User, session_id: ULID | None = None) -> Person:
    """Make a Person from a row of `session`; `session_id` is the browser session at hand."""
    return Person(
        id=user.id,
        email=user.email,
        session_epoch=user.session_epoch,
        has_totp=user.has_totp,
        places=places_of(session, user.id),
        session_id=session_id,
    )


def places_of(session: Session, user_id: ULID) -> tuple[TeamPlace, ...]:
    """Return a user's places, sorted by the team's name."""
    rows = session.execute(
        select(Team.id, Team.name, Membership.role)
        .join(Membership, Membership.team_id == Team.id)
        .where(Membership.user_id == user_id)
        .order_by(Team.name)
    )
    return tuple(TeamPlace(team_id, name, role) for team_id, name, role in rows)


def record_for_user(
    session: Session, actor: Actor, action: str, user: User, **details: object
) -> None:
    """Record what concerns a person and no single team, in the log of each of their teams."""
    teams: list[ULID | None] = [place.team_id for place in places_of(session, user.id)]
    for team_id in teams or [None]:
        record(
            session,
            actor,
            action,
            team_id=team_id,
            subject_id=user.id,
            subject_name=user.email,
            **details,
        )
