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


TOKEN = f"123456789:{'a1B2' * 8}"


@pytest.mark.parametrize(
    "path",
    ["/tgm/bot{}/getMe", "/BOT{}/getMe", "/static/bot{}/x", "/dashboard/bot{}", "/x?bot={}"],
)
def test_no_error_page_repeats_a_token_that_stood_in_its_address(
    client: FlaskClient, path: str
) -> None:
    answer = client.get(path.format(TOKEN))
    assert answer.status_code == 404
    assert TOKEN not in answer.text
    assert TOKEN not in str(answer.headers)
