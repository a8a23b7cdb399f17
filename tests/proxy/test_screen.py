"""The request log's screen."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from ulid import ULID

from tests.browsing import sign_in
from tests.making import make_team
from tests.proxy.test_request_log import a_row
from tgm.auth.service import Person
from tgm.extensions import runtime
from tgm.shared.clock import utcnow

Note = Callable[..., None]


@pytest.fixture
def note(owner: Person) -> Note:
    """Note calls of the owner's team."""

    def note(**fields: object) -> None:
        runtime.request_log.add(a_row(**{"team_id": str(owner.places[0].team_id), **fields}))

    return note


def test_without_calls_it_says_what_will_be_there(signed_in: FlaskClient) -> None:
    page = signed_in.get("/dashboard/requests")
    assert page.status_code == 200
    assert "No calls yet" in page.text


def test_calls_are_shown_at_once_the_newest_first(signed_in: FlaskClient, note: Note) -> None:
    note(method="getMe", status=200)
    note(method="sendMessage", status=429, source="gateway", error="rate_limited")
    page = signed_in.get("/dashboard/requests").text
    assert page.index("sendMessage") < page.index("getMe")
    assert "rate_limited" in page


def test_the_filter_stands_in_the_address_and_in_the_form(
    signed_in: FlaskClient, note: Note
) -> None:
    note(method="getMe", status=200, at=utcnow() - timedelta(days=2))
    note(method="sendPhoto", status=403)
    since = (utcnow() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    page = signed_in.get(f"/dashboard/requests?method=SENDphoto&status=4&since={since}").text
    assert "<code>sendPhoto</code>" in page
    assert "<code>getMe</code>" not in page
    assert 'value="SENDphoto"' in page
    assert since in page
    assert "No call matches" in signed_in.get("/dashboard/requests?status=5").text


def test_another_teams_calls_are_not_shown(signed_in: FlaskClient, note: Note) -> None:
    bot = ULID()
    note(team_id=str(make_team("Others")), method="getChat", bot_id=str(bot))
    for query in ("", f"?bot={bot}", "?method=getChat"):
        assert "<code>getChat</code>" not in signed_in.get(f"/dashboard/requests{query}").text


@pytest.mark.parametrize(
    "query",
    [
        "?bot=x",
        "?key=%00",
        "?method=<script>",
        "?status=abc",
        "?since=never",
        "?before=x",
        "?before=9223372036854775808",
        "?a=b",
    ],
)
def test_a_filter_that_makes_no_sense_breaks_nothing(
    signed_in: FlaskClient, note: Note, query: str
) -> None:
    note()
    page = signed_in.get(f"/dashboard/requests{query}")
    assert page.status_code == 200
    assert "<script>" not in page.text.replace("<script src", "")


def test_older_calls_follow_with_the_filter_kept(signed_in: FlaskClient, note: Note) -> None:
    for number in range(51):
        note(method="getMe", bytes_in=number)
    note(method="getChat")
    page = signed_in.get("/dashboard/requests?method=getMe").text
    assert page.count("<code>getMe</code>") == 50
    link = page.split('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    assert "method=getMe" in link
    older = signed_in.get(link.replace("&amp;", "&")).text
    assert older.count("<code>getMe</code>") == 1
    # Only the newest page renews itself: an older one would jump.
    assert 'data-live="/dashboard/requests?method=getMe"' in page
    assert "data-live" not in older


def test_everybody_in_the_team_may_look(app: Flask, owner: Person) -> None:
    client = app.test_client()
    assert client.get("/dashboard/requests").status_code == 302
    sign_in(client, owner.email, "wrong password")
    assert client.get("/dashboard/requests").status_code == 302
