"""How a bot receives and where its updates go, driven as a browser without JavaScript does."""

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from ulid import ULID
from werkzeug.test import TestResponse

from tests.browsing import csrf_token, submit
from tests.fakes.telegram import (
    OTHER_TOKEN,
    TOKEN,
    FakeTelegram,
    Recorded,
    Reply,
    refusal,
    reply,
)
from tests.making import browser_of, make_team
from tests.webhook.rows import an_update, make_delivery, make_endpoint, make_reception
from tgm.audit.service import COMMAND_LINE
from tgm.auth.roles import Role
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.extensions import db, runtime
from tgm.shared.clock import utcnow
from tgm.shared.ids import new_id
from tgm.telegram.catalog import UPDATE_KINDS
from tgm.webhook import endpoints, receiving
from tgm.webhook.models import Acknowledge, Delivery, Endpoint, Mode, Reception, State

URL = "https://127.0.0.1:9/hook"
PUBLIC = {"WEBHOOK_BASE_URL": "https://tgm.example.com"}
pytestmark = pytest.mark.given(WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")
EVERYTHING: dict[str, Any] = {"kinds": list(UPDATE_KINDS), "max_connections": "40"}
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]+")
OF_BOT = [
    "activate",
    "receiving",
    "use-webhook",
    "use-polling",
    "take-back",
    "hand-back",
    "acknowledge",
    "pause",
    "resume",
    "endpoints/add",
]
OF_ENDPOINT = ["edit", "pause", "resume", "remove", "rotate-secret"]


@pytest.fixture
def team(owner: Person) -> ULID:
    return owner.places[0].team_id


@pytest.fixture
def bot(team: ULID, telegram: FakeTelegram) -> Bot:
    bot = bots.add(team, TOKEN, None, COMMAND_LINE)
    telegram.requests.clear()
    return bot


@pytest.fixture
def endpoint(bot: Bot) -> Endpoint:
    return make_endpoint(bot.id)


def at(bot: Bot, rest: str = "") -> str:
    return f"/dashboard/bots/{bot.id}/webhook{rest}"


def press(client: FlaskClient, bot: Bot, act: str, **fields: Any) -> TestResponse:
    """Press a button of the bot's webhook page, which must be there."""
    page = client.get(at(bot))
    assert f'action="{at(bot, act)}"' in page.text, f"there is no button for {act}"
    return client.post(at(bot, act), data={"csrf_token": csrf_token(page), **fields})


def kept(bot: Bot) -> Reception:
    found = receiving.of_bot(bot.id)
    assert found is not None
    return found


@pytest.mark.given(**PUBLIC)
def test_activate_sets_the_webhook_and_shows_the_secret_once(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram
) -> None:
    page = signed_in.get(at(bot)).text
    assert re.search(r'value="chat_member"[^>]*>|checked[^>]*value="chat_member"', page)
    answer = press(signed_in, bot, "/activate", **EVERYTHING, url=URL)
    assert answer.status_code == 200
    (secret,) = set(SECRET.findall(answer.text))
    assert answer.headers["Cache-Control"] == "no-store"
    (endpoint,) = endpoints.of_bot(bot.id)
    place = endpoint.secret_place()
    assert runtime.vault.open(endpoint.sealed_secret, place=place) == unescape(secret)
    (call,) = telegram.calls("setWebhook")
    asked = json.loads(call.body)
    assert asked["url"].startswith("https://tgm.example.com/api/v1/tg-webhook/")
    assert set(asked["allowed_updates"]) == set(UPDATE_KINDS)
    for path in (at(bot), f"/dashboard/bots/{bot.id}", at(bot, f"/endpoints/{endpoint.id}/edit")):
        text = signed_in.get(path).text
        assert not SECRET.search(text)
        assert asked["secret_token"] not in text
        assert asked["url"] not in text


@pytest.mark.given(**PUBLIC)
def test_activate_asks_for_what_was_chosen(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram
) -> None:
    fields = {"kinds": ["message", "chat_member"], "max_connections": "7"}
    assert SECRET.search(press(signed_in, bot, "/activate", url=URL, **fields).text)
    asked = json.loads(telegram.calls("setWebhook")[-1].body)
    assert (asked["allowed_updates"], asked["max_connections"]) == (["message", "chat_member"], 7)


@pytest.mark.given(**PUBLIC)
def test_the_secret_is_shown_even_if_telegram_does_not_take_the_choice(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram
) -> None:
    done = reply({"ok": True, "result": True})

    def answer_to(call: Recorded) -> Reply:
        everything = len(json.loads(call.body)["allowed_updates"]) == len(UPDATE_KINDS)
        return done if everything else refusal(429, "Too Many Requests: retry after 5")

    telegram.always("setWebhook", answer_to)
    fields = {"kinds": ["poll"], "max_connections": "7"}
    answer = press(signed_in, bot, "/activate", url=URL, **fields)
    assert SECRET.search(answer.text)
    assert "Too Many Requests" in answer.text
    assert len(endpoints.of_bot(bot.id)) == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": ""}, "url"),
        ({"url": "http://10.0.0.1/hook"}, "url"),
        ({"url": "ftp://example.com"}, "url"),
        ({"url": URL, "kinds": []}, "kinds"),
        ({"url": URL, "kinds": ["nonsense"]}, "kinds"),
        ({"url": URL, "max_connections": "101"}, "max_connections"),
    ],
)
def test_what_cannot_be_activated_is_said_beside_the_field(
    signed_in: FlaskClient, bot: Bot, fields: dict[str, object], field: str
) -> None:
    answer = press(signed_in, bot, "/activate", **{**EVERYTHING, **fields})
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert endpoints.of_bot(bot.id) == []
    assert receiving.of_bot(bot.id) is None


@pytest.mark.given(**PUBLIC)
def test_telegrams_refusal_leaves_the_form_as_it_was_filled(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram
) -> None:
    telegram.always("setWebhook", refusal(400, "Bad Request: bad webhook: HTTPS url must be"))
    answer = press(signed_in, bot, "/activate", **EVERYTHING, url=URL)
    assert answer.status_code == 422
    assert "bad webhook" in answer.text
    assert f'value="{URL}"' in answer.text
    assert endpoints.of_bot(bot.id) == []


def test_without_a_public_address_the_bot_is_polled_and_the_screen_says_so(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram
) -> None:
    press(signed_in, bot, "/activate", **EVERYTHING, url=URL)
    page = signed_in.get(at(bot)).text
    assert re.search(r'class="status[^"]*">polling<', page)
    assert "WEBHOOK_BASE_URL" in page
    assert "/use-webhook" not in page
    assert telegram.calls("setWebhook") == []


@pytest.mark.given(**PUBLIC)
def test_one_press_changes_the_way_and_back(
    signed_in: FlaskClient, bot: Bot, endpoint: Endpoint, telegram: FakeTelegram
) -> None:
    receiving.switch_on(bot.team_id, bot.id, actor=COMMAND_LINE)
    assert re.search(r'class="status[^"]*">webhook<', signed_in.get(at(bot)).text)
    assert press(signed_in, bot, "/use-polling").status_code == 303
    assert kept(bot).mode is Mode.POLLING
    (call,) = telegram.calls("deleteWebhook")
    assert json.loads(call.body).get("drop_pending_updates") in (None, False)
    assert press(signed_in, bot, "/use-webhook").status_code == 303
    assert kept(bot).mode is Mode.WEBHOOK


@pytest.mark.given(**PUBLIC)
def test_a_webhook_of_somebody_else_is_a_warning_with_a_button(
    signed_in: FlaskClient, bot: Bot, endpoint: Endpoint, telegram: FakeTelegram
) -> None:
    receiving.switch_on(bot.team_id, bot.id, actor=COMMAND_LINE)
    foreign = {"url": "https://evil.example.net/path-secret", "pending_update_count": 0}
    telegram.always("getWebhookInfo", reply({"ok": True, "result": foreign}))
    assert "Take it back" not in signed_in.get(at(bot)).text
    assert press(signed_in, bot, "/check").status_code == 303
    page = signed_in.get(at(bot)).text
    assert "Telegram was asked" not in page
    assert 'class="alert alert-warning"' in page
    assert "evil.example.net" in page
    assert "path-secret" not in page
    before = len(telegram.calls("setWebhook"))
    assert press(signed_in, bot, "/take-back").status_code == 303
    assert len(telegram.calls("setWebhook")) == before + 1
    assert "Take it back" not in signed_in.get(at(bot)).text


def test_a_check_that_finds_nothing_says_so(
    signed_in: FlaskClient, bot: Bot, endpoint: Endpoint
) -> None:
    make_reception(bot.id, Mode.POLLING)
    press(signed_in, bot, "/check")
    assert (
        "Telegram was asked: the bot&#39;s updates come to this TGM." in signed_in.get(at(bot)).text
    )


def test_handing_back_and_receiving_again(
    signed_in: FlaskClient, bot: Bot, endpoint: Endpoint
) -> None:
    make_reception(bot.id, Mode.POLLING)
    asked = at(bot, "/hand-back")
    assert asked in signed_in.get(at(bot)).text
    assert "get no more updates" in signed_in.get(asked).text
    assert kept(bot).mode is Mode.POLLING, "it only asked"
    assert submit(signed_in, asked).status_code == 303
    assert signed_in.get(asked).status_code == 303, "there is nothing to hand back any more"
    assert receiving.of_bot(bot.id) is None
    page = signed_in.get(at(bot)).text
    assert re.search(r'class="status[^"]*">off<', page)
    assert at(bot, "/receiving") in page
    chosen = {"kinds": ["message", "poll"], "max_connections": "3"}
    assert submit(signed_in, at(bot, "/receiving"), **chosen).status_code == 303  # type: ignore[arg-type]
    assert (kept(bot).allowed_updates, kept(bot).max_connections) == (["message", "poll"], 3)
    again = signed_in.get(at(bot, "/receiving")).text
    ticked = {
        re.search(r'value="(\w+)"', tag).group(1)  # type: ignore[union-attr]
        for tag in re.findall(r"<input checked[^>]*>", again)
    }
    assert ticked == {"message", "poll"}
    assert submit(signed_in, at(bot, "/receiving"), max_connections="3").status_code == 422


def test_it_says_that_programs_have_time_to_answer_presses(
    signed_in: FlaskClient, bot: Bot
) -> None:
    make_reception(bot.id, Mode.POLLING, acknowledge=Acknowledge.AFTER_DELIVERY)
    assert "has 10 seconds to answer, also after the delivery" in signed_in.get(at(bot)).text


@pytest.mark.parametrize("mode", Acknowledge)
def test_the_acknowledgement_is_chosen(signed_in: FlaskClient, bot: Bot, mode: Acknowledge) -> None:
    make_reception(bot.id, Mode.POLLING, acknowledge=Acknowledge.NEVER)
    assert press(signed_in, bot, "/acknowledge", mode=mode.value).status_code == 303
    assert kept(bot).acknowledge is mode
    assert "Nobody has chosen yet" not in signed_in.get(at(bot)).text
    assert press(signed_in, bot, "/acknowledge", mode="sometimes").status_code == 422
    assert kept(bot).acknowledge is mode


def test_deliveries_are_paused_and_resumed(
    signed_in: FlaskClient, bot: Bot, endpoint: Endpoint
) -> None:
    make_reception(bot.id, Mode.POLLING)
    assert press(signed_in, bot, "/pause").status_code == 303
    assert kept(bot).is_paused
    assert "delivered once you resume" in signed_in.get(at(bot)).text
    assert press(signed_in, bot, "/resume").status_code == 303
    assert not kept(bot).is_paused


def test_a_second_endpoint_has_a_name_a_filter_and_its_own_secret(
    signed_in: FlaskClient, bot: Bot, endpoint: Endpoint
) -> None:
    fields = {"url": URL, "name": "Staging", "kinds": ["poll"]}
    answer = submit(signed_in, at(bot, "/endpoints/add"), **fields)  # type: ignore[arg-type]
    assert SECRET.search(answer.text)
    staging = next(one for one in endpoints.of_bot(bot.id) if one.id != endpoint.id)
    assert (staging.name, staging.url, staging.kinds) == ("Staging", URL, ["poll"])
    page = signed_in.get(at(bot)).text
    for fact in ("Staging", "Toko", URL, endpoint.url):
        assert fact in page


def test_an_endpoint_is_changed(signed_in: FlaskClient, bot: Bot, endpoint: Endpoint) -> None:
    page = at(bot, f"/endpoints/{endpoint.id}/edit")
    assert f'value="{endpoint.url}"' in signed_in.get(page).text
    fields = {"url": URL, "name": "Baru", "kinds": ["message", "poll"], "takes_answers": "y"}
    assert submit(signed_in, page, **fields).status_code == 303  # type: ignore[arg-type]
    db.session.expire_all()
    changed = endpoints.get(bot.team_id, endpoint.id)
    assert (changed.url, changed.name, changed.kinds) == (URL, "Baru", ["message", "poll"])
    assert changed.takes_answers
    wrong = submit(signed_in, page, **{**fields, "url": "http://192.168.1.1/"})  # type: ignore[arg-type]
    assert wrong.status_code == 422
    assert 'id="url-error"' in wrong.text


def test_an_endpoint_is_paused_and_resumed(
    signed_in: FlaskClient, bot: Bot, endpoint: Endpoint
) -> None:
    assert press(signed_in, bot, f"/endpoints/{endpoint.id}/pause").status_code == 303
    assert endpoints.get(bot.team_id, endpoint.id).is_paused
    # A test update would only wait: there is no button for it.
    assert f"/endpoints/{endpoint.id}/test" not in signed_in.get(at(bot)).text
    assert press(signed_in, bot, f"/endpoints/{endpoint.id}/resume").status_code == 303
    assert not endpoints.get(bot.team_id, endpoint.id).is_paused


@pytest.mark.parametrize(("because", "words"), [("gone", "410"), ("failing", "three days")])
def test_an_endpoint_that_was_paused_says_why(
    signed_in: FlaskClient, bot: Bot, because: str, words: str
) -> None:
    make_endpoint(bot.id, paused_because=because, paused_at=utcnow())
    assert words in signed_in.get(at(bot)).text


def test_an_endpoint_is_removed_after_asking(
    signed_in: FlaskClient, bot: Bot, endpoint: Endpoint
) -> None:
    page = at(bot, f"/endpoints/{endpoint.id}/remove")
    assert "cannot be undone" in signed_in.get(page).text
    assert submit(signed_in, page).status_code == 303
    assert endpoints.of_bot(bot.id) == []


def test_a_new_secret_is_shown_once(signed_in: FlaskClient, bot: Bot, endpoint: Endpoint) -> None:
    old = runtime.vault.open(endpoint.sealed_secret, place=endpoint.secret_place())
    answer = submit(signed_in, at(bot, f"/endpoints/{endpoint.id}/rotate-secret"))
    (shown,) = set(SECRET.findall(answer.text))
    assert unescape(shown) != old
    assert old not in unescape(answer.text)
    assert answer.headers["Cache-Control"] == "no-store"
    assert not SECRET.search(signed_in.get(at(bot)).text)


@pytest.mark.parametrize(("what", "kind"), [("message", "message"), ("button", "callback_query")])
def test_a_test_update_leads_to_its_delivery(
    app: Flask, bot: Bot, endpoint: Endpoint, what: str, kind: str
) -> None:
    member = browser_of(app, bot.team_id, Role.MEMBER)
    answer = press(member, bot, f"/endpoints/{endpoint.id}/test", what=what)
    assert answer.status_code == 303
    assert "/dashboard/deliveries/" in answer.headers["Location"]
    page = member.get(answer.headers["Location"]).text
    assert kind in page
    assert "a test that TGM made up" in page


def test_the_bot_page_shows_lag_pending_failing_and_the_last_error(
    signed_in: FlaskClient, bot: Bot, endpoint: Endpoint
) -> None:
    old = utcnow() - timedelta(hours=3, minutes=5)
    make_delivery(endpoint, an_update(1), at=old, attempts_made=2, last_error="timeout")
    make_delivery(endpoint, an_update(2))
    make_delivery(endpoint, an_update(3), state=State.DEAD, last_error="connect")
    make_delivery(endpoint, an_update(4), state=State.DELIVERED, attempts_made=1)
    facts = _facts(signed_in.get(at(bot)).text.partition('id="standing-heading"')[2])
    assert facts["Lag"] == "3 hours"
    assert (facts["Failing"], facts["Given up"], facts["Last error"]) == ("1", "1", "connect")
    assert facts["Pending"].startswith("2")
    overview = signed_in.get(f"/dashboard/bots/{bot.id}").text
    tiles = re.findall(r'tile-label">([^<]+)<.*?tile-value">(.*?)</span>\s*<span', overview, re.S)
    shown = {name: re.sub(r"<[^>]+>|\s", "", value) for name, value in tiles}
    assert (shown["Pending"], shown["Failing"], shown["Given up"]) == ("2", "1", "1")
    assert "Lag: 3 hours" in overview
    assert _facts(overview)["Last error"] == "connect"
    assert at(bot) in overview


def _facts(page: str) -> dict[str, str]:
    # The first of a name counts: the endpoints' own come further down.
    found = re.findall(r"<dt>\s*([\w ]+?)\s*</dt>\s*<dd>(.*?)</dd>", page, re.DOTALL)
    return {name: " ".join(re.sub("<[^>]+>", "", value).split()) for name, value in reversed(found)}


def test_every_page_has_the_way_to_the_deliveries(signed_in: FlaskClient, bot: Bot) -> None:
    assert 'href="/dashboard/deliveries"' in signed_in.get("/dashboard/bots").text


def test_names_and_urls_cannot_put_markup_into_a_page(signed_in: FlaskClient, bot: Bot) -> None:
    evil = "<script>alert(1)</script>"
    endpoint = make_endpoint(bot.id, name="x", url=f"https://example.com/{evil}", last_error=evil)
    make_reception(bot.id, problem="unreachable", problem_text=evil)
    pages = [
        "",
        *(f"/endpoints/{endpoint.id}/{act}" for act in ("edit", "remove", "rotate-secret")),
    ]
    for page in pages:
        answer = signed_in.get(at(bot, page))
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
def test_who_is_no_admin_reads_and_changes_nothing(
    app: Flask, bot: Bot, endpoint: Endpoint, role: Role
) -> None:
    make_reception(bot.id, Mode.POLLING)
    client = browser_of(app, bot.team_id, role)
    page = client.get(at(bot))
    assert page.status_code == 200
    acts = [f"/{act}" for act in OF_BOT]
    acts += [f"/endpoints/{endpoint.id}/{act}" for act in OF_ENDPOINT]
    for act in acts:
        assert f'"{at(bot, act)}"' not in page.text
        data = {"csrf_token": csrf_token(page), "url": URL, "mode": "never"}
        assert client.post(at(bot, act), data=data).status_code == 403, act
    may_test = role is Role.MEMBER
    assert (f'"{at(bot, f"/endpoints/{endpoint.id}/test")}"' in page.text) is may_test
    answer = client.post(
        at(bot, f"/endpoints/{endpoint.id}/test"), data={"csrf_token": csrf_token(page)}
    )
    assert answer.status_code == (303 if may_test else 403)
    db.session.expire_all()
    assert [one.id for one in endpoints.of_bot(bot.id)] == [endpoint.id]
    assert kept(bot).acknowledge is Acknowledge.AT_ONCE


def test_an_admin_who_is_not_the_owner_may_change(app: Flask, bot: Bot) -> None:
    make_reception(bot.id, Mode.POLLING)
    client = browser_of(app, bot.team_id, Role.ADMIN)
    assert press(client, bot, "/pause").status_code == 303


def test_another_teams_bot_and_endpoint_do_not_exist(
    signed_in: FlaskClient, bot: Bot, endpoint: Endpoint, telegram: FakeTelegram
) -> None:
    telegram.add_bot(OTHER_TOKEN, "Other bot", "tgm_other_bot")
    foreign = bots.add(make_team("Warung"), OTHER_TOKEN, None, COMMAND_LINE)
    theirs = make_endpoint(foreign.id)
    make_reception(foreign.id, Mode.POLLING)
    data = {"csrf_token": csrf_token(signed_in.get(at(bot))), "mode": "never", **EVERYTHING}
    data["url"] = URL
    assert signed_in.get(at(foreign)).status_code == 404
    for act in [*OF_BOT, "check"]:
        assert signed_in.post(at(foreign, f"/{act}"), data=data).status_code == 404, act
    for act in [*OF_ENDPOINT, "test"]:
        for own, which in ((foreign, theirs.id), (bot, theirs.id), (bot, new_id())):
            path = at(own, f"/endpoints/{which}/{act}")
            assert signed_in.post(path, data=data).status_code == 404, act
    # An endpoint of the team's own, but of another of its bots.
    assert [one.id for one in endpoints.of_bot(foreign.id)] == [theirs.id]
    assert kept(foreign).acknowledge is Acknowledge.AT_ONCE


def test_a_post_without_the_forms_token_changes_nothing(
    signed_in: FlaskClient, bot: Bot, endpoint: Endpoint
) -> None:
    acts = [f"/{act}" for act in [*OF_BOT, "check"]]
    acts += [f"/endpoints/{endpoint.id}/{act}" for act in [*OF_ENDPOINT, "test"]]
    for act in acts:
        assert signed_in.post(at(bot, act), data={"url": URL}).status_code == 400
    assert [one.id for one in endpoints.of_bot(bot.id)] == [endpoint.id]
    assert db.session.query(Delivery).count() == 0
