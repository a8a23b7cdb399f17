"""Forms whose answer shows a secret once: sent again by a reload, they do nothing. HTTP layer."""

import secrets

from flask import session
from flask_wtf import FlaskForm
from wtforms import HiddenField

from tgm.shared.errors import N_, Conflict

_SPENT = "spent"
# The session is a cookie: there is room for a few.
_MOST = 8


class OnceForm(FlaskForm):  # type: ignore[misc]
    """A form that carries a name of its own. A page that does not print `once` is not guarded."""

    once = HiddenField(default=lambda: secrets.token_urlsafe(9))

    def stop_if_spent(self) -> None:
        """Raise Conflict where this very form was sent, and taken, before."""
        if self.once.data and self.once.data in session.get(_SPENT, []):
            raise Conflict(
                N_(
                    "This form was sent already, and was taken then. What it made was shown"
                    " once, and is not made a second time."
                )
            )

    def spend(self) -> None:
        """Call when the form was taken."""
        if self.once.data:
            session[_SPENT] = [*session.get(_SPENT, []), self.once.data[:32]][-_MOST:]
