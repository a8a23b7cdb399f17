"""The rules for e-mail addresses and passwords, and the hash that passwords are kept as."""

import re
import unicodedata
from collections.abc import Callable

from werkzeug.security import check_password_hash, generate_password_hash

from tgm.shared.errors import N_, Invalid

SHORTEST = 10
LONGEST = 256
LONGEST_EMAIL = 254
# The cost is named here, so that the stand-in below costs the same whatever werkzeug's default is.
METHOD = "scrypt:32768:8:1"
# A hash that no password has, checked where there is no account, which then takes as long as one.
STAND_IN = f"{METHOD}$0123456789abcdef${'0' * 128}"

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
    return generate_password_hash(password, method=METHOD)


def is_right(password: str, kept: str | None, check: Check = check_password_hash) -> bool:
    """Tell whether `password` belongs to the hash; None stands for an account that is not there.

    Both take the same time, since `check(hash, password)` is called in both cases.
    """
    right = check(kept or STAND_IN, password[: LONGEST + 1])
    return right and kept is not None
