"""The request log's screen."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from ulid import ULID

from tests.browsing import sign_in
from tests.fakes.telegram import TOKEN
from tests.making import make_team
from tests.proxy.test_request_log import a_row
from tgm.audit.service import COMMAND_LINE
from tgm.auth.service import Person
from tgm.bots import service as bots
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


def test_a_call_has_a_page_with_all_its_facts(signed_in: FlaskClient, note: Note) -> None:
    note(method="sendPhoto", status=502, source="gateway", error="connection_failed")
    link = re.search(r'href="(/dashboard/requests/\d+)"', signed_in.get("/dashboard/requests").text)
    assert link is not None
    page = signed_in.get(link.group(1)).text
    for fact in ("sendPhoto", "502", "connection_failed", "without asking Telegram", "<h1>"):
        assert fact in page
    part = signed_in.get(f"{link.group(1)}?in=panel", headers={"HX-Request": "true"}).text
    assert "connection_failed" in part
    assert "<h1>" not in part
    assert (
        "connection_failed" in signed_in.get(f"/dashboard/requests?open={link.group(1)[20:]}").text
    )


def test_another_teams_call_has_no_page(signed_in: FlaskClient, note: Note) -> None:
    note(team_id=str(make_team("Others")), method="getChat")
    signed_in.get("/dashboard/requests")
    for number in ("1", "2", "-1", "x", "9" * 30):
        assert signed_in.get(f"/dashboard/requests/{number}").status_code == 404
        page = signed_in.get(f"/dashboard/requests?open={number}")
        assert page.status_code == 200
        assert "getChat" not in page.text


def test_a_test_send_is_noted_under_its_persons_address(
    signed_in: FlaskClient, owner: Person, note: Note
) -> None:
    note(key_id=str(owner.id), method="getMe")
    assert f"Test send ({owner.email})" in signed_in.get("/dashboard/requests").text


def test_a_bots_tab_shows_its_own_calls_only(
    signed_in: FlaskClient, owner: Person, note: Note
) -> None:
    bot = bots.add(owner.places[0].team_id, TOKEN, None, COMMAND_LINE)
    note(bot_id=str(bot.id), method="getChat")
    note(method="getFile")
    tab = f"/dashboard/bots/{bot.id}/requests"
    page = signed_in.get(tab).text
    assert "<code>getChat</code>" in page
    assert "<code>getFile</code>" not in page
    assert 'name="bot"' not in page
    assert f'data-live="{tab}?status=2"' in signed_in.get(f"{tab}?status=2").text
    assert signed_in.get(f"/dashboard/bots/{ULID()}/requests").status_code == 404


def test_times_in_the_filter_are_the_readers(signed_in: FlaskClient, note: Note) -> None:
    at = utcnow().replace(hour=12, minute=30)
    note(method="getChat", at=at)
    signed_in.set_cookie("tgm_zone", "Asia%2FJakarta")
    day = at.strftime("%Y-%m-%d")
    assert "<code>getChat" in signed_in.get(f"/dashboard/requests?since={day}T19:00").text
    assert "<code>getChat" not in signed_in.get(f"/dashboard/requests?since={day}T20:00").text
    for odd in ("0001-01-01T00:00", "9999-12-31T23:59"):
        assert signed_in.get(f"/dashboard/requests?since={odd}&until={odd}").status_code == 200
