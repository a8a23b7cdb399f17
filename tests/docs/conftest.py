"""The documentation as a stranger's browser gets it."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

Page = Callable[[str, str], str]


@pytest.fixture
def page(client: FlaskClient) -> Page:
    """Open a page in a language, signed out."""

    def opened(path: str, language: str) -> str:
        answer = client.get(path, headers={"Accept-Language": language})
        assert answer.status_code == 200
        return answer.text

    return opened
