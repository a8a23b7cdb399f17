"""Who may send a large body to the test send: asked before the body is taken in."""

from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadSignature

ADDRESS = "/dashboard/test-send"


def is_upload(path: str) -> bool:
    """Tell whether the path is one that takes files."""
    return path == ADDRESS or path.startswith(f"{ADDRESS}/")


def signed_in_by(app: Flask) -> Callable[[str], bool]:
    """Return what tells whether a Cookie header holds a session of this application's making in
    which somebody has signed in.

    Whether that session still holds, the screen asks: this only keeps strangers' bodies off the
    disk, and costs no query.
    """
    interface = SecureCookieSessionInterface()
    serializer = interface.get_signing_serializer(app)
    longest = int(app.permanent_session_lifetime.total_seconds())
    name = app.config["SESSION_COOKIE_NAME"]

    def signed_in(header: str) -> bool:
        try:
            cookie = SimpleCookie(header).get(name)
            if cookie is None or serializer is None:
                return False
            return "_user_id" in serializer.loads(cookie.value, max_age=longest)
        except (BadSignature, CookieError, TypeError):
            return False

    return signed_in
