"""Invitations by link: single use, expiring, since a small box may have no mail."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from ulid import ULID

from tgm.audit.service import Actor, record
from tgm.auth.models import Invitation, Team, User
from tgm.auth.passwords import clean_email, new_hash
from tgm.auth.people import new_user
from tgm.auth.person import Person, TeamPlace, person_of
from tgm.auth.roles import Role
from tgm.auth.teams import join
from tgm.database import writing
from tgm.extensions import db
from tgm.security.credentials import digest, mint_link_token
from tgm.security.secret import Secret
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_, Forbidden, Invalid, NotFound

LIFETIME = timedelta(days=7)


@dataclass(frozen=True)
class Offer:
    """What an invitation offers. `email` is None when it is for whoever has the link."""

    team_name: str
    role: Role
    email: str | None
    expires_at: datetime


def invite(by: TeamPlace, role: Role, email: str | None, actor: Actor, now: datetime) -> Secret:
    """Make an invitation to the team at hand. Return its link's token, to be shown once.

    With `email`, only that address can accept it. Raises Forbidden (only owners invite owners) and
    Invalid.
    """
    if not by.role.may(role):
        raise Forbidden(N_("Only an owner can make, change or remove an owner."))
    email = clean_email(email) if email else None
    token = mint_link_token()
    with writing() as session:
        invitation = Invitation(
            team_id=by.team_id,
            digest=digest(token.value),
            role=role,
            email=email,
            invited_by=actor.name,
            created_at=now,
            expires_at=now + LIFETIME,
        )
        session.add(invitation)
        session.flush()
        record(
            session,
            actor,
            "user.invited",
            team_id=by.team_id,
            subject_id=invitation.id,
            subject_name=email,
            role=role.value,
        )
    return token


def open_invitations(team_id: ULID, now: datetime) -> list[Invitation]:
    """Return a team's invitations that can still be accepted, the newest first."""
    query = select(Invitation).where(Invitation.team_id == team_id, Invitation.expires_at > now)
    return list(db.session.scalars(query.order_by(Invitation.id.desc())))


def revoke(by: TeamPlace, invitation_id: ULID, actor: Actor) -> None:
    """Make a link useless. Raises NotFound, also for an invitation of another team."""
    with writing() as session:
        invitation = session.get(Invitation, invitation_id)
        if invitation is None or invitation.team_id != by.team_id:
            raise NotFound(N_("There is no such invitation."))
        session.delete(invitation)
        record(
            session,
            actor,
            "invitation.revoked",
            team_id=by.team_id,
            subject_id=invitation.id,
            subject_name=invitation.email,
        )


def look_up(token: str, now: datetime) -> Offer:
    """Return what a link offers. Raises NotFound: unknown, used, revoked and expired look alike."""
    found = _find(db.session(), token, now)
    team = db.session.get_one(Team, found.team_id)
    return Offer(team.name, found.role, found.email, found.expires_at)


def join_as_new(
    token: str, email: str, password: str, address: str | None, now: datetime
) -> Person:
    """Accept as somebody who has no account yet. Raises NotFound, Invalid and Conflict."""
    password_hash = new_hash(password, email := clean_email(email))
    with writing() as session:
        invitation = _find(session, token, now)
        _only_for(invitation, email)
        user = new_user(session, email, password_hash)
        return _accept(session, invitation, user, Actor(email, address))


def join_as(person: Person, token: str, actor: Actor, now: datetime) -> ULID:
    """Accept as the signed-in person. Return the team. Raises NotFound, Invalid and Conflict."""
    with writing() as session:
        invitation = _find(session, token, now)
        _only_for(invitation, person.email)
        _accept(session, invitation, session.get_one(User, person.id), actor)
        return invitation.team_id


def _find(session: Session, token: str, now: datetime) -> Invitation:
    query = select(Invitation).where(Invitation.digest == digest(token))
    found = session.scalar(query.with_for_update())
    if found is None or not found.is_open(now):
        raise NotFound(
            N_("This invitation was used or revoked, has expired, or never was. Ask for a new one.")
        )
    return found


def _only_for(invitation: Invitation, email: str) -> None:
    if invitation.email not in {None, email}:
        raise Invalid(N_("This invitation is for another e-mail address."), field="email")


def _accept(session: Session, invitation: Invitation, user: User, actor: Actor) -> Person:
    join(session, invitation.team_id, user, invitation.role)
    session.delete(invitation)
    # The expired ones are of no more use to anybody.
    session.execute(delete(Invitation).where(Invitation.expires_at <= utcnow()))
    record(
        session,
        actor,
        "user.joined",
        team_id=invitation.team_id,
        subject_id=user.id,
        subject_name=user.email,
        role=invitation.role.value,
        invited_by=invitation.invited_by,
    )
    return person_of(session, user)
