"""Two-step sign-in: time-based codes (RFC 6238), and recovery codes for a lost telephone."""

import hmac
import secrets
from base64 import b32decode, b32encode
from datetime import datetime
from typing import Literal
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from ulid import ULID

from tgm.audit.service import Actor
from tgm.auth.models import RecoveryCode, User
from tgm.auth.person import record_for_user
from tgm.database import writing
from tgm.extensions import runtime
from tgm.security.credentials import digest, mint_recovery_code
from tgm.security.secret import Secret
from tgm.security.vault import Vault
from tgm.shared.errors import N_, Conflict, Invalid

STEP_SECONDS = 30
RECOVERY_CODES = 10
_SECRET_BYTES = 20
# Clocks differ: the step before and the step after are taken as well.
_DRIFT = 1


def totp_place(user_id: ULID) -> str:
    """Return the place of a user's sealed TOTP secret, for the vault."""
    return f"users:{user_id}:sealed_totp"


def _offer_place(user_id: ULID) -> str:
    return f"users:{user_id}:offered_totp"


def new_offer(user_id: ULID) -> str:
    """Return a fresh secret, sealed: it waits in the person's session for the first code."""
    secret = b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    return runtime.vault.seal(secret, place=_offer_place(user_id))


def open_offer(user_id: ULID, offer: str) -> Secret:
    """Return the secret in base 32, to be typed or scanned. Raises SealBroken."""
    return Secret(runtime.vault.open(offer, place=_offer_place(user_id)))


def address(secret: Secret, email: str) -> Secret:
    """Return the `otpauth:` address that an authenticator app opens."""
    return Secret(f"otpauth://totp/TGM:{quote(email)}?secret={secret.value}&issuer=TGM")


def code_at(secret: Secret, step: int) -> str:
    """Return the six digits of a time step, which is Unix time divided by 30."""
    totp = TOTP(b32decode(secret.value), 6, SHA1(), STEP_SECONDS)  # noqa: S303 - what apps speak
    return totp.generate(step * STEP_SECONDS).decode()


def matching_step(secret: Secret, code: str, last_step: int, now: datetime) -> int | None:
    """Return the time step that `code` belongs to, None when it is wrong or was used before.

    Steps up to `last_step` are spent: a code works once.
    """
    current = int(now.timestamp()) // STEP_SECONDS
    for step in range(current - _DRIFT, current + _DRIFT + 1):
        right = hmac.compare_digest(code_at(secret, step).encode(), code.encode())
        if right and step > last_step:
            return step
    return None


def use_code(
    session: Session, user: User, text: str, now: datetime
) -> Literal["code", "recovery code"] | None:
    """Spend a TOTP code or a recovery code of the user. Return which it was, None if neither."""
    if user.sealed_totp is None:
        return None
    # The row is locked, so that one code cannot be spent twice at the same moment.
    session.refresh(user, with_for_update=True)
    secret = Secret(runtime.vault.open(user.sealed_totp, place=totp_place(user.id)))
    plain = "".join(text.split())
    step = matching_step(secret, plain, user.totp_last_step, now)
    if step is not None:
        user.totp_last_step = step
        return "code"
    spent = session.execute(
        delete(RecoveryCode)
        .where(RecoveryCode.user_id == user.id, RecoveryCode.digest == _code_digest(text))
        .returning(RecoveryCode.id)
    ).first()
    return "recovery code" if spent else None


def turn_on(user_id: ULID, secret: Secret, code: str, now: datetime, actor: Actor) -> list[Secret]:
    """Turn two-step sign-in on, once the app's code proves that it has the secret.

    Return the recovery codes, to be shown once. Raises Invalid for a wrong code, and Conflict.
    """
    step = matching_step(secret, "".join(code.split()), 0, now)
    if step is None:
        raise Invalid(N_("The code is wrong. Is the clock of your device right?"), field="code")
    with writing() as session:
        user = session.get_one(User, user_id, with_for_update=True)
        if user.has_totp:
            raise Conflict(N_("Two-step sign-in is on already."))
        user.sealed_totp = runtime.vault.seal(secret.value, place=totp_place(user.id))
        user.totp_last_step = step
        record_for_user(session, actor, "totp.enabled", user)
        return _new_codes(session, user)


def turn_off(user_id: ULID, actor: Actor) -> None:
    """Turn two-step sign-in off. The caller has asked for the password."""
    with writing() as session:
        forget(session, session.get_one(User, user_id), actor)


def renew_codes(user_id: ULID, actor: Actor) -> list[Secret]:
    """Make new recovery codes; the older ones no longer work. The caller asked for the password."""
    with writing() as session:
        user = session.get_one(User, user_id)
        if not user.has_totp:
            raise Conflict(N_("Two-step sign-in is off."))
        record_for_user(session, actor, "recovery_codes.renewed", user)
        return _new_codes(session, user)


def forget(session: Session, user: User, actor: Actor) -> None:
    """Remove the secret and the recovery codes, if there are any."""
    if not user.has_totp:
        return
    user.sealed_totp = None
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    record_for_user(session, actor, "totp.disabled", user)


def reseal(session: Session, vault: Vault) -> int:
    """Put every secret under the newest key. Return how many there are. Raises SealBroken."""
    users = session.scalars(select(User).where(User.sealed_totp.is_not(None))).all()
    for user in users:
        user.sealed_totp = vault.reseal(user.sealed_totp or "", place=totp_place(user.id))
    return len(users)


def _new_codes(session: Session, user: User) -> list[Secret]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    codes = [mint_recovery_code() for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(user_id=user.id, digest=_code_digest(c.value)) for c in codes)
    return codes


def _code_digest(text: str) -> str:
    """Hash what was typed: case, spaces and hyphens do not matter."""
    return digest("".join(text.split()).replace("-", "").lower())
