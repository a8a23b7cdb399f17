"""What a browser does with a page that has a form."""

import re
from html import unescape

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


def csrf_token(answer: TestResponse) -> str:
    """Return the token in a page's first form."""
    found = _TOKEN.search(answer.text)
    assert found, f"there is no form on {answer.request.path}: {answer.status}"
    return unescape(found.group(1))


def submit(client: FlaskClient, page: str, to: str | None = None, /, **fields: str) -> TestResponse:
    """Open `page` and send the form on it, to `to` where the form's address is another."""
    data = {"csrf_token": csrf_token(client.get(page)), **fields}
    return client.post(to or page, data=data)


def sign_in(client: FlaskClient, email: str, password: str) -> TestResponse:
    """Fill in the sign-in form."""
    return submit(client, "/auth/sign-in", email=email, password=password)
