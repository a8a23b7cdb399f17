"""The people of a team: the first set-up, adding, roles, removal."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from ulid import ULID

from tgm.audit.service import Actor, record
from tgm.auth.models import Membership, Team, User
from tgm.auth.passwords import clean_email, new_hash, tidy_email
from tgm.auth.person import Person, TeamPlace, person_of
from tgm.auth.roles import Role
from tgm.auth.teams import (
    FIRST_NAME,
    join,
    keep_an_owner,
    make_team,
    only_owners_touch_owners,
    place_in,
)
from tgm.database import take_turns, writing
from tgm.extensions import db
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_, Conflict, Invalid, NotFound


@dataclass(frozen=True)
class UserRow:
    """A user's place in one team, for lists. `signed_in_at` is None before the first sign-in."""

    id: ULID
    email: str
    role: Role
    team: str
    has_totp: bool
    signed_in_at: datetime | None


def has_users() -> bool:
    """Tell whether the first set-up is over."""
    return db.session.scalar(select(User.id).limit(1)) is not None


def set_up(email: str, password: str, team_name: str, actor: Actor) -> Person:
    """Make the first team and its owner. Raises Conflict once there is a user, and Invalid."""
    password_hash = new_hash(password, email := clean_email(email))
    with writing() as session:
        take_turns(session, "users")
        if session.scalar(select(User.id).limit(1)) is not None:
            raise Conflict(N_("TGM is set up already."))
        user = new_user(session, email, password_hash)
        team = _team_for_first(session, team_name)
        _enter(session, actor, team, user, Role.OWNER, "user.set_up")
        return person_of(session, user)


def add_user(email: str, password: str, role: Role, team_id: ULID | None, actor: Actor) -> User:
    """Add a user to a team; the very first one makes the team.

    `team_id` is None for the only team. Raises Invalid, NotFound, and Conflict for an address that
    is taken or for several teams to choose from.
    """
    password_hash = new_hash(password, email := clean_email(email))
    with writing() as session:
        take_turns(session, "users")
        is_first = session.scalar(select(User.id).limit(1)) is None
        team = _team_for_first(session, FIRST_NAME) if is_first else _team(session, team_id)
        user = new_user(session, email, password_hash)
        _enter(session, actor, team, user, role, "user.added")
        return user


def list_users(team_id: ULID | None = None) -> list[UserRow]:
    """Return the users of a team, or of every team, sorted by address."""
    query = (
        select(User, Membership.role, Team.name)
        .join(Membership, Membership.user_id == User.id)
        .join(Team, Team.id == Membership.team_id)
        .order_by(User.email, Team.name)
    )
    if team_id is not None:
        query = query.where(Team.id == team_id)
    return [
        UserRow(user.id, user.email, role, team, user.has_totp, user.signed_in_at)
        for user, role, team in db.session.execute(query)
    ]


def change_role(by: TeamPlace, user_id: ULID, role: Role, actor: Actor) -> None:
    """Give a person of the team at hand another role.

    Raises NotFound, Forbidden (only owners make or change owners) and Conflict (the last owner).
    """
    with writing() as session:
        user, place = place_in(session, by.team_id, user_id)
        only_owners_touch_owners(by, role, place.role)
        if role is place.role:
            return
        keep_an_owner(session, place)
        before, place.role = place.role, role
        record(
            session,
            actor,
            "role.changed",
            team_id=by.team_id,
            subject_id=user.id,
            subject_name=user.email,
            before=before.value,
            after=role.value,
        )


def remove(by: TeamPlace, user_id: ULID, typed: str, actor: Actor) -> None:
    """Remove a person from the team at hand; their account goes with their last team.

    `typed` must be their address. Raises as `change_role` does, and Invalid.
    """
    with writing() as session:
        user, place = place_in(session, by.team_id, user_id)
        only_owners_touch_owners(by, place.role)
        if tidy_email(typed) != user.email:
            raise Invalid(N_("This is not the address of the person to remove."), field="typed")
        _leave(session, actor, user, place)


def remove_user(email: str, team: str | None, actor: Actor) -> None:
    """Remove a user from one team (by name or id), or from every one. Raises NotFound, Conflict."""
    with writing() as session:
        user = user_by_email(session, email)
        query = select(Membership).join(Team).order_by(Team.id).where(Membership.user_id == user.id)
        if team is not None:
            query = query.where((Team.name == team) | (Team.id == team))
        places = session.scalars(query).all()
        if not places:
            raise NotFound(N_("%(email)s does not belong to this team."), email=user.email)
        for place in places:
            _leave(session, actor, *place_in(session, place.team_id, user.id))


def user_by_email(session: Session, email: str) -> User:
    """Return the user with this address. Raises NotFound."""
    user = session.scalar(select(User).where(User.email == tidy_email(email)))
    if user is None:
        raise NotFound(N_("There is no user %(email)s."), email=email)
    return user


def new_user(session: Session, email: str, password_hash: str) -> User:
    """Add a user to the transaction. Raises Conflict when the address is taken."""
    take_turns(session, "users")
    if session.scalar(select(User.id).where(User.email == email)) is not None:
        raise Conflict(N_("There is a user %(email)s already."), field="email", email=email)
    user = User(email=email, password_hash=password_hash, created_at=utcnow())
    session.add(user)
    session.flush()
    return user


def _team_for_first(session: Session, name: str) -> Team:
    """Return the team that an installation without users has from earlier, else a new one."""
    earlier = session.scalar(select(Team).order_by(Team.created_at).limit(1))
    return earlier or make_team(session, name)


def _team(session: Session, team_id: ULID | None) -> Team:
    query = select(Team) if team_id is None else select(Team).where(Team.id == team_id)
    teams = session.scalars(query.limit(2)).all()
    if not teams:
        raise NotFound(N_("There is no such team."))
    if len(teams) > 1:
        raise Conflict(N_("There are several teams: choose one with --team."))
    return teams[0]


def _enter(session: Session, actor: Actor, team: Team, user: User, role: Role, action: str) -> None:
    join(session, team.id, user, role)
    record(
        session,
        actor,
        action,
        team_id=team.id,
        subject_id=user.id,
        subject_name=user.email,
        role=role.value,
    )


def _leave(session: Session, actor: Actor, user: User, place: Membership) -> None:
    keep_an_owner(session, place)
    session.delete(place)
    session.flush()
    left = session.scalar(select(func.count()).where(Membership.user_id == user.id))
    if not left:
        session.delete(user)
    record(
        session,
        actor,
        "user.removed",
        team_id=place.team_id,
        subject_id=user.id,
        subject_name=user.email,
        role=place.role.value,
    )
