"""The home screen."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from ulid import ULID
from werkzeug.test import TestResponse

from tests.dashboard.conftest import Call
from tests.making import browser_of
from tests.webhook.rows import an_update, make_delivery, make_endpoint, make_reception
from tgm.audit.service import COMMAND_LINE
from tgm.auth.roles import Role
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import writing
from tgm.keys import service as keys
from tgm.keys.rights import Rights
from tgm.shared.clock import utcnow
from tgm.webhook.models import Mode

HTMX = {"HX-Request": "true"}


def news_address(page: TestResponse) -> str:
    found = re.search(r'hx-get="(/dashboard/\?[^"]+)"', page.text)
    assert found, "the cards do not renew themselves"
    return found.group(1).replace("&amp;", "&")


def text_of(page: TestResponse) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).split())


def test_a_new_team_sees_the_first_steps_and_nothing_else(signed_in: FlaskClient) -> None:
    page = signed_in.get("/dashboard/")
    assert "0 of 3 done" in text_of(page)
    assert "Add your first bot next" in text_of(page)
    assert "@BotFather" in page.text
    assert "Needs a person" not in page.text


def test_the_guide_leads_on_from_the_bots_page_and_from_the_new_key(
    signed_in: FlaskClient, bot: Bot
) -> None:
    page = signed_in.get(f"/dashboard/bots/{bot.id}")
    assert "Next: make a key" in page.text
    assert 'href="/dashboard/api-keys/new"' in page.text


def test_without_receiving_the_guide_says_to_switch_it_on(
    signed_in: FlaskClient, team: ULID, bot: Bot
) -> None:
    keys.make(team, Rights("Program"), COMMAND_LINE)
    page = signed_in.get("/dashboard/")
    assert f'href="/dashboard/bots/{bot.id}/webhook/receiving"' in page.text
    assert "Switch receiving on" in page.text
    make_reception(bot.id, Mode.POLLING)
    with writing() as session:
        session.get_one(Bot, bot.id).receiving = "polling"
    page = signed_in.get("/dashboard/")
    assert "Switch receiving on" not in page.text
    assert f"Write anything to @{bot.username}" in page.text


def test_after_the_first_message_the_guide_is_gone(
    signed_in: FlaskClient, bot: Bot, call: Call
) -> None:
    assert "First steps" in signed_in.get("/dashboard/").text
    call("sendMessage")
    assert "First steps" not in signed_in.get("/dashboard/").text
    assert "First steps" not in signed_in.get(f"/dashboard/bots/{bot.id}").text


def test_a_viewer_is_sent_to_an_admin(app: Flask, team: ULID) -> None:
    page = browser_of(app, team, Role.VIEWER).get("/dashboard/")
    assert "An admin of your team can do that." in page.text
    assert "/dashboard/bots/add" not in page.text


def test_a_card_tells_how_a_bot_is_doing(
    signed_in: FlaskClient, team: ULID, bot: Bot, call: Call
) -> None:
    make_reception(bot.id, Mode.POLLING)
    endpoint = make_endpoint(bot.id)
    make_delivery(endpoint, an_update(1), attempts_made=1)
    make_delivery(endpoint, an_update(2))
    call("sendMessage")
    call("sendMessage", 400)
    text = text_of(signed_in.get("/dashboard/"))
    assert "Kasir @tgm_test_bot all well" in text
    assert "Receives by polling" in text
    assert "Pending 2 Failing 1 Calls, 24 h 2 Errors, 24 h 1" in text
    bots.disable(team, bot.id, COMMAND_LINE)
    assert "Kasir @tgm_test_bot disabled" in text_of(signed_in.get("/dashboard/"))


def test_what_needs_a_person_has_its_repair_beside_it(signed_in: FlaskClient, bot: Bot) -> None:
    assert "Nothing at the moment." in signed_in.get("/dashboard/").text
    make_reception(bot.id, problem="taken_over", problem_text="It leads to <b>evil</b>.")
    since = utcnow() - timedelta(hours=2)
    endpoint = make_endpoint(bot.id, "A<b>", failing_since=since, last_error="HTTP 503")
    page = signed_in.get("/dashboard/")
    assert "It leads to &lt;b&gt;evil&lt;/b&gt;." in page.text
    assert "A&lt;b&gt; does not take its updates: HTTP 503." in page.text
    assert f"/dashboard/deliveries?bot={bot.id}&amp;to={endpoint.id}" in page.text
    assert "Kasir @tgm_test_bot to repair" in text_of(page)


def test_only_an_admin_is_led_to_the_token(
    app: Flask, signed_in: FlaskClient, team: ULID, bot: Bot, call: Call
) -> None:
    call("sendMessage", 401)
    token = f"/dashboard/bots/{bot.id}/token"
    assert token in signed_in.get("/dashboard/").text
    viewers = browser_of(app, team, Role.VIEWER).get("/dashboard/").text
    assert "answers calls with 401" in viewers
    assert token not in viewers


def test_every_repair_leads_to_a_screen(
    app: Flask, signed_in: FlaskClient, team: ULID, bot: Bot, call: Call
) -> None:
    call("sendMessage", 401)
    soon = utcnow() + timedelta(days=1)
    keys.make(team, Rights("Program", expires_at=soon), COMMAND_LINE)
    make_reception(bot.id, problem="refused")
    make_endpoint(bot.id, "Gone", paused_because="gone")
    make_endpoint(bot.id, "Failing", failing_since=utcnow())
    make_delivery(make_endpoint(bot.id, "Late"), an_update(1), at=utcnow() - timedelta(hours=1))
    page = signed_in.get("/dashboard/")
    links = re.findall(r'btn-sm"\s+href="([^"#]+)', page.text.partition("bot-cards")[0])
    assert len(links) == 6
    for link in links:
        assert signed_in.get(link.replace("&amp;", "&")).status_code == 200, link


def test_where_nothing_is_new_nothing_is_sent(signed_in: FlaskClient, bot: Bot) -> None:
    address = news_address(signed_in.get("/dashboard/"))
    answer = signed_in.get(address, headers=HTMX)
    assert (answer.status_code, answer.text) == (204, "")


def test_only_what_is_new_is_sent(signed_in: FlaskClient, bot: Bot, call: Call) -> None:
    address = news_address(signed_in.get("/dashboard/"))
    call("sendMessage")
    answer = signed_in.get(address, headers=HTMX)
    assert answer.status_code == 200
    assert 'id="bot-cards"' in answer.text
    assert 'id="needs"' not in answer.text
    assert "<html" not in answer.text
    assert news_address(answer) != address

    address = news_address(answer)
    make_reception(bot.id, problem="unreachable")
    answer = signed_in.get(address, headers=HTMX)
    assert 'id="needs"' in answer.text
    assert "What needs a person has changed: 1." in answer.text
    assert answer.text.count('hx-swap-oob="true"') == 2
    again = signed_in.get(news_address(answer), headers=HTMX)
    assert again.status_code == 204


def test_the_address_with_what_was_seen_shows_the_whole_page_to_a_person(
    signed_in: FlaskClient, bot: Bot
) -> None:
    page = signed_in.get(news_address(signed_in.get("/dashboard/")))
    assert page.status_code == 200
    assert "<html" in page.text


@pytest.mark.parametrize("span", ["1h", "30d", "", "7 years", "<b>"])
def test_any_span_shows_charts(signed_in: FlaskClient, bot: Bot, span: str) -> None:
    page = signed_in.get("/dashboard/", query_string={"span": span})
    assert page.status_code == 200
    assert 'id="charts"' in page.text
    assert "<b>" not in page.text
