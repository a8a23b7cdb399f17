"""What an error's answer carries beside its sentence."""

import pytest
from flask.testing import FlaskClient


@pytest.mark.parametrize(
    ("path", "verbs"),
    [("/openapi.json", {"GET", "HEAD", "OPTIONS"}), ("/api/v1/tg-webhook/x", {"POST", "OPTIONS"})],
)
def test_a_verb_that_is_not_taken_is_told_which_are(
    client: FlaskClient, path: str, verbs: set[str]
) -> None:
    answer = client.delete(path)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == verbs
