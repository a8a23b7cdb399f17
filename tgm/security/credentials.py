"""API keys and one-time link tokens: made here, stored as hashes only, compared by hash."""

import re
import secrets
import string
from dataclasses import dataclass
from hashlib import sha256

from tgm.security.secret import Secret

KEY_PREFIX = "tgm_live_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
# 33 characters out of 62 hold 196 random bits.
_KEY_CHARACTERS = 33
_KEY_FORM = re.compile(rf"{KEY_PREFIX}[0-9A-Za-z]{{32,128}}", re.ASCII)


@dataclass(frozen=True)
class MintedKey:
    """A new API key. `secret` is shown once; `digest` and `last_four` are what is stored."""

    secret: Secret
    digest: str
    last_four: str


def digest(secret: str) -> str:
    """Return the SHA-256 of a secret of high entropy, in hexadecimal. Not for passwords."""
    return sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def mint_api_key() -> MintedKey:
    """Make an API key of 196 random bits."""
    text = KEY_PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_KEY_CHARACTERS))
    return MintedKey(Secret(text), digest(text), text[-4:])


def is_api_key(text: str) -> bool:
    """Tell whether `text` has an API key's form; whether it is one, only the store knows."""
    return _KEY_FORM.fullmatch(text) is not None


def mint_link_token() -> Secret:
    """Make a token of 256 random bits for a single-use link."""
    return Secret(secrets.token_urlsafe(32))


def mint_recovery_code() -> Secret:
    """Make a recovery code of 80 random bits, in four groups of four that can be typed."""
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    text = "".join(secrets.choice(alphabet) for _ in range(16))
    return Secret("-".join(text[i : i + 4] for i in range(0, 16, 4)))
