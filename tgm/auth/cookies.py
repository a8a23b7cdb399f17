"""The session cookie: Secure exactly when the request came by HTTPS, and kept for two weeks."""

from datetime import datetime

from flask import Flask, Response, has_request_context, request
from flask.sessions import SecureCookieSessionInterface, SessionMixin

from tgm.shared.clock import utcnow
from tgm.shared.marks import SOURCE


class SessionInterface(SecureCookieSessionInterface):
    """A box may serve plain HTTP on its LAN and HTTPS behind a proxy, with one configuration."""

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 - Flask's signature
        return has_request_context() and request.is_secure

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Save the session, except with the API's answers, which have none and stay as they are.

        Nor with what any cache may keep: Flask-Login has looked at the session even for a style
        sheet, and `Vary: Cookie` would make browsers fetch that again after each sign-in.
        """
        if SOURCE not in response.headers and not response.cache_control.public:
            super().save_session(app, session, response)

    def get_expiration_time(self, app: Flask, session: SessionMixin) -> datetime | None:  # noqa: ARG002
        # Not by `session.permanent`: Flask-Login then takes its protection back, and a stolen
        # cookie works in any browser.
        return utcnow() + app.permanent_session_lifetime
