"""The session cookie: Secure exactly when the request came by HTTPS."""

from flask import Flask, has_request_context, request
from flask.sessions import SecureCookieSessionInterface


class SessionInterface(SecureCookieSessionInterface):
    """A box may serve plain HTTP on its LAN and HTTPS behind a proxy, with one configuration."""

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 - Flask's signature
        return has_request_context() and request.is_secure
