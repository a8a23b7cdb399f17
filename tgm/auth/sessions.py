"""Sessions: one row for each browser that somebody has signed in with.

The cookie holds a random token, the row its hash. Without the row the cookie is worth nothing, so a
session ends the moment its row is deleted, wherever the cookie may be.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from ulid import ULID

from tgm.audit.service import Actor
from tgm.auth.models import User, UserSession
from tgm.auth.person import Person, TeamPlace, person_of, record_for_user
from tgm.auth.teams import only_owners_touch_owners, place_in
from tgm.database import writing
from tgm.extensions import db
from tgm.security.credentials import digest, mint_link_token
from tgm.security.secret import Secret
from tgm.shared.errors import N_, NotFound
from tgm.shared.ids import new_id

LIFETIME = timedelta(days=14)
# Every click would be a write otherwise.
SEEN_EVERY = timedelta(minutes=5)
_LONGEST_AGENT = 255
# Written by the database, so that two changes at the same moment raise it twice.
NEXT_EPOCH = update(User).values(session_epoch=User.session_epoch + 1)


def begin(session: Session, user: User, address: str | None, agent: str, now: datetime) -> Secret:
    """Add a session to the transaction. Return its token, for the cookie and nowhere else."""
    # Nobody can come back with one that has been silent for longer than a cookie lives.
    session.execute(delete(UserSession).where(UserSession.seen_at < now - LIFETIME - SEEN_EVERY))
    token = mint_link_token()
    session.add(
        UserSession(
            id=new_id(),
            user_id=user.id,
            digest=digest(token.value),
            created_at=now,
            seen_at=now,
            address=address,
            agent=agent[:_LONGEST_AGENT],
        )
    )
    return token


def person_with(token: str, now: datetime) -> Person | None:
    """Return whose session this is, None where it has ended. Notes that it was seen."""
    query = (
        select(UserSession, User)
        .join(User, User.id == UserSession.user_id)
        .where(UserSession.digest == digest(token))
        .execution_options(populate_existing=True)
    )
    found = db.session.execute(query).one_or_none()
    if found is None:
        return None
    own, user = found
    person = person_of(db.session(), user, own.id)
    if own.seen_at < now - SEEN_EVERY:
        _seen(own.id, now)
    return person


def of_user(user_id: ULID, now: datetime) -> Sequence[UserSession]:
    """Return a person's sessions, the one seen last first."""
    query = (
        select(UserSession)
        .where(UserSession.user_id == user_id, UserSession.seen_at >= now - LIFETIME)
        .order_by(UserSession.seen_at.desc(), UserSession.id.desc())
    )
    return db.session.scalars(query).all()


def end(user_id: ULID, session_id: ULID, actor: Actor) -> None:
    """End one of the person's own sessions. Raises NotFound."""
    with writing() as session:
        own = session.get(UserSession, session_id)
        if own is None or own.user_id != user_id:
            raise NotFound(N_("There is no such session."))
        session.delete(own)
        record_for_user(session, actor, "session.ended", session.get_one(User, user_id))


def end_others(user_id: ULID, kept: ULID | None, actor: Actor) -> int:
    """End all of the person's sessions but `kept`. Return how many there were."""
    with writing() as session:
        ended = forget(session, user_id, kept)
        user = session.get_one(User, user_id)
        record_for_user(session, actor, "user.signed_out_elsewhere", user, sessions=ended)
        return ended


def end_all_of(by: TeamPlace, user_id: ULID, actor: Actor) -> int:
    """End every session of a person of the team at hand. Return how many there were.

    Raises NotFound, and Forbidden: only owners do that to owners.
    """
    with writing() as session:
        user, place = place_in(session, by.team_id, user_id)
        only_owners_touch_owners(by, place.role)
        ended = forget(session, user_id)
        # A first step that waits for its code is void, too.
        session.execute(NEXT_EPOCH.where(User.id == user_id))
        record_for_user(session, actor, "user.signed_out_everywhere", user, sessions=ended)
        return ended


def forget(session: Session, user_id: ULID, kept: ULID | None = None) -> int:
    """Delete a person's sessions in the transaction, all but `kept`. Return how many."""
    query = delete(UserSession).where(UserSession.user_id == user_id)
    if kept is not None:
        query = query.where(UserSession.id != kept)
    return len(session.scalars(query.returning(UserSession.id)).all())


def _seen(session_id: ULID, now: datetime) -> None:
    with writing() as session:
        session.execute(
            update(UserSession)
            .where(UserSession.id == session_id, UserSession.seen_at < now - SEEN_EVERY)
            .values(seen_at=now)
        )
