"""The rules for e-mail addresses and passwords, and the hash that passwords are kept as."""

import re
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from werkzeug.security import check_password_hash, generate_password_hash

from tgm.shared.errors import N_, Invalid, TooManyRequests

SHORTEST = 10
LONGEST = 256
LONGEST_EMAIL = 254
# The cost is named here, so that the stand-in below costs the same whatever werkzeug's default is.
METHOD = "scrypt:32768:8:1"
# A hash that no password has, checked where there is no account, which then takes as long as one.
STAND_IN = f"{METHOD}$0123456789abcdef${'0' * 128}"

_PLACES = threading.BoundedSemaphore(4)
_LONGEST_WAIT = 2.0  # seconds

Check = Callable[[str, str], bool]

# An address can be wrong in a thousand ways; this asks for the form, and a sign-in shows the rest.
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def tidy_email(text: str) -> str:
    """Return an address in the form it is compared and kept in."""
    return unicodedata.normalize("NFC", text).strip().lower()


def clean_email(text: str) -> str:
    """Return the address as it is kept. Raises Invalid."""
    email = tidy_email(text)
    if len(email) > LONGEST_EMAIL or not email.isprintable() or not _EMAIL.fullmatch(email):
        raise Invalid(N_("This is not an e-mail address."), field="email")
    return email


@contextmanager
def turn() -> Iterator[None]:
    """Wait for one of a few places: a hash takes 32 MiB and a core. Raises TooManyRequests.

    Nobody waits long, since the wait holds a thread that could answer somebody else.
    """
    if not _PLACES.acquire(timeout=_LONGEST_WAIT):
        raise TooManyRequests(N_("Too many tries. Please wait a little."), retry_after=5)
    try:
        yield
    finally:
        _PLACES.release()


def new_hash(password: str, email: str) -> str:
    """Return the hash of a new password. Raises Invalid when the password cannot be taken."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid(
            N_("A password has %(shortest)s to %(longest)s characters."),
            field="password",
            shortest=SHORTEST,
            longest=LONGEST,
        )
    if tidy_email(password) == email:
        raise Invalid(N_("The e-mail address cannot be the password."), field="password")
    with turn():
        return generate_password_hash(password, method=METHOD)


def is_right(password: str, kept: str | None, check: Check = check_password_hash) -> bool:
    """Tell whether `password` belongs to the hash; None stands for an account that is not there.

    Both take the same time, since `check(hash, password)` is called in both cases. Call it inside
    `turn()`.
    """
    right = check(kept or STAND_IN, password[: LONGEST + 1])
    return right and kept is not None
