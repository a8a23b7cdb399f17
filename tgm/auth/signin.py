"""Signing in: the password, the second step, and the limits on wrong tries."""

import math
from datetime import datetime

from sqlalchemy import delete, select
from ulid import ULID
from werkzeug.security import check_password_hash

from tgm.audit.service import Actor, record
from tgm.auth import sessions
from tgm.auth.models import User, UserSession
from tgm.auth.passwords import Check, is_right, tidy_email, turn
from tgm.auth.person import Person, person_of, record_for_user
from tgm.auth.totp import use_code
from tgm.database import writing
from tgm.extensions import db, runtime
from tgm.security.secret import Secret
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_, Invalid, TooManyRequests
from tgm.shared.limits import LimitState, per_seconds
from tgm.shared.networks import network_of

_WINDOW = 15 * 60
PER_ACCOUNT = per_seconds(10, _WINDOW)
PER_ADDRESS = per_seconds(50, _WINDOW)
# Three codes in a million are right at any time: five tries leave a guesser no hope.
SECOND_STEPS = per_seconds(5, _WINDOW)


def check_password(
    email: str, password: str, address: str | None, *, check: Check = check_password_hash
) -> Person:
    """Return whose e-mail address and password these are; the second step is still to come.

    Raises Invalid, with one wording for a wrong password and an unknown account, which take the
    same time; and TooManyRequests, for both alike.
    """
    email = tidy_email(email)[:320]
    where = network_of(address or "unknown")
    # The account's tries are counted before the check, so that tries at the same moment count too.
    _stop_unless_allowed(runtime.limits.hit(PER_ACCOUNT, "sign-in account", email))
    user = db.session.scalar(select(User).where(User.email == email))
    user_id, kept = (user.id, user.password_hash) if user else (None, None)
    # The connection goes back before the hash: a crowd of tries would hold every one.
    db.session.rollback()
    with turn():
        _stop_unless_allowed(runtime.limits.look(PER_ADDRESS, "sign-in address", where))
        right = is_right(password, kept, check)
        if not right:
            runtime.limits.hit(PER_ADDRESS, "sign-in address", where)
    if user_id is None or not right:
        _record_refusal(user_id, address)
        raise Invalid(N_("The e-mail address or the password is wrong."), field="password")
    runtime.limits.clear(PER_ACCOUNT, "sign-in account", email)
    return person_of(db.session(), db.session.get_one(User, user_id))


def check_own_password(user_id: ULID, password: str, *, field: str) -> User:
    """Ask a signed-in person for their password again, counted like a sign-in.

    Raises Invalid, which names `field`, and TooManyRequests. Return the row as it was read.
    """
    user = db.session.get_one(User, user_id)
    _stop_unless_allowed(runtime.limits.hit(PER_ACCOUNT, "sign-in account", user.email))
    with turn():
        right = is_right(password, user.password_hash)
    if not right:
        raise Invalid(N_("The password is wrong."), field=field)
    runtime.limits.clear(PER_ACCOUNT, "sign-in account", user.email)
    return user


def check_second_step(person: Person, code: str, address: str | None, now: datetime) -> None:
    """Take a TOTP code or a recovery code, once. Raises Invalid and TooManyRequests."""
    name = str(person.id)
    _stop_unless_allowed(runtime.limits.hit(SECOND_STEPS, "second step", name))
    actor = Actor(person.email, address)
    with writing() as session:
        user = session.get_one(User, person.id)
        kind = use_code(session, user, code, now)
        if kind is None:
            record_for_user(session, actor, "user.sign_in_refused", user, reason="wrong code")
        elif kind == "recovery code":
            record_for_user(session, actor, "recovery_code.used", user)
    if kind is None:
        raise Invalid(N_("The code is wrong, or was used already."), field="code")
    runtime.limits.clear(SECOND_STEPS, "second step", name)


def signed_in(person: Person, address: str | None, agent: str) -> Secret:
    """Write down that a person has signed in. Call once, after every step.

    Return the new session's token. `agent` is what the browser calls itself.
    """
    now = utcnow()
    with writing() as session:
        user = session.get_one(User, person.id)
        user.signed_in_at = now
        record_for_user(session, Actor(person.email, address), "user.signed_in", user)
        return sessions.begin(session, user, address, agent, now)


def signed_out(person: Person, actor: Actor) -> None:
    """End the session at hand, and write down that the person has signed out."""
    with writing() as session:
        session.execute(delete(UserSession).where(UserSession.id == person.session_id))
        record_for_user(session, actor, "user.signed_out", session.get_one(User, person.id))


def _record_refusal(user_id: ULID | None, address: str | None) -> None:
    """Write down a wrong password.

    For an unknown account too, without what was typed (it may be a password in the wrong field):
    the row belongs to no team, but writing it takes the time that an account's row takes.
    """
    with writing() as session:
        user = session.get(User, user_id) if user_id else None
        if user is None:
            actor = Actor("unknown", address)
            record(session, actor, "user.sign_in_refused", team_id=None, reason="unknown account")
        else:
            actor = Actor(user.email, address)
            record_for_user(session, actor, "user.sign_in_refused", user, reason="wrong password")


def _stop_unless_allowed(state: LimitState) -> None:
    if state.allowed:
        return
    seconds = state.retry_after
    raise TooManyRequests(
        N_("Too many tries. Please try again in %(minutes)s min."),
        retry_after=seconds,
        minutes=max(1, math.ceil((seconds - 1) / 60)),
    )
