"""The one-time link to the first set-up: an open set-up page would let anybody in."""

import hmac
from base64 import urlsafe_b64encode

from flask import Flask

_LABEL = b"tgm first set-up"


def setup_token(secret_key: str | bytes) -> str:
    """Return the link's token: the same in every process and after every restart."""
    key = secret_key.encode() if isinstance(secret_key, str) else secret_key
    return urlsafe_b64encode(hmac.digest(key, _LABEL, "sha256")).decode().rstrip("=")


def is_token(text: str, secret_key: str | bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(text.encode(), setup_token(secret_key).encode())


def path(app: Flask) -> str:
    """Return the page's path. It answers 404 as soon as there is a user."""
    return f"/auth/setup/{setup_token(app.secret_key or '')}"
