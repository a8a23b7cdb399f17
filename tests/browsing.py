"""What a browser does with a page that has a form."""

import re
from contextvars import Context
from html import unescape
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tgm.extensions import db

_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class Browser(FlaskClient):
    """A client whose requests are served as a server would.

    A test has an application context open, which a request would otherwise take for its own: with
    who was signed in there, and with rows that were read long ago.
    """

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        answer: TestResponse = Context().run(super().open, *args, **kwargs)
        # What the request changed, the test must not remember as it was.
        db.session.rollback()
        return answer


def csrf_token(answer: TestResponse) -> str:
    """Return the token in a page's first form."""
    found = _TOKEN.search(answer.text)
    assert found, f"there is no form on {answer.request.path}: {answer.status}"
    return unescape(found.group(1))


def without_tokens(answer: TestResponse) -> str:
    """Return a page without what differs each time it is made."""
    return _TOKEN.sub("", answer.text)


def submit(client: FlaskClient, page: str, to: str | None = None, /, **fields: str) -> TestResponse:
    """Open `page` and send the form on it, to `to` where the form's address is another."""
    data = {"csrf_token": csrf_token(client.get(page)), **fields}
    return client.post(to or page, data=data)


def sign_in(client: FlaskClient, email: str, password: str) -> TestResponse:
    """Fill in the sign-in form."""
    return submit(client, "/auth/sign-in", email=email, password=password)
