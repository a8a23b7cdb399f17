"""What a person does to their own account, and the command line's way back in."""

from ulid import ULID

from tgm.audit.service import Actor
from tgm.auth import sessions, totp
from tgm.auth.models import User
from tgm.auth.passwords import new_hash
from tgm.auth.people import user_by_email
from tgm.auth.person import Person, person_of, record_for_user
from tgm.auth.signin import check_own_password
from tgm.database import writing
from tgm.security.secret import Secret


def change_password(
    user_id: ULID, current: str, new: str, actor: Actor, session_id: ULID | None = None
) -> Person:
    """Change one's own password and sign out everywhere but in the session at hand.

    Return the person as a new session must know them. Raises Invalid and TooManyRequests.
    """
    kept = check_own_password(user_id, current, field="current")
    password_hash = new_hash(new, kept.email)
    with writing() as session:
        user = session.get_one(User, user_id)
        user.password_hash = password_hash
        session.execute(sessions.NEXT_EPOCH.where(User.id == user.id))
        session.refresh(user, ["session_epoch"])
        sessions.forget(session, user.id, kept=session_id)
        record_for_user(session, actor, "password.changed", user)
        return person_of(session, user)


def sign_out_everywhere(user_id: ULID, actor: Actor) -> None:
    """End every session of the person, this one included."""
    with writing() as session:
        user = session.get_one(User, user_id)
        session.execute(sessions.NEXT_EPOCH.where(User.id == user.id))
        sessions.forget(session, user.id)
        record_for_user(session, actor, "user.signed_out_everywhere", user)


def turn_off_totp(user_id: ULID, password: str, actor: Actor) -> None:
    """Turn two-step sign-in off. Raises Invalid for a wrong password, and TooManyRequests."""
    check_own_password(user_id, password, field="password")
    totp.turn_off(user_id, actor)


def renew_recovery_codes(user_id: ULID, password: str, actor: Actor) -> list[Secret]:
    """Return new recovery codes, to be shown once. Raises as `turn_off_totp`, and Conflict."""
    check_own_password(user_id, password, field="password")
    return totp.renew_codes(user_id, actor)


def reset_password(email: str, password: str, actor: Actor) -> None:
    """Set a user's password and sign them out everywhere. Raises NotFound and Invalid."""
    password_hash = new_hash(password, email.strip().lower())
    with writing() as session:
        user = user_by_email(session, email)
        user.password_hash = password_hash
        session.execute(sessions.NEXT_EPOCH.where(User.id == user.id))
        sessions.forget(session, user.id)
        record_for_user(session, actor, "password.reset", user)


def disable_totp(email: str, actor: Actor) -> None:
    """Turn a user's two-step sign-in off; no error where it is off already. Raises NotFound."""
    with writing() as session:
        totp.forget(session, user_by_email(session, email), actor)
