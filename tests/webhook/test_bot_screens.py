"""What the bots' own screens do to receiving."""

import json

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from ulid import ULID

from tests.browsing import csrf_token, submit
from tests.fakes.telegram import TOKEN, FakeTelegram, Reply, refusal, reply
from tests.webhook.rows import an_update, make_delivery, make_endpoint
from tgm.audit.service import COMMAND_LINE
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.extensions import db
from tgm.webhook import receiving
from tgm.webhook.models import Delivery, Endpoint, StoredUpdate

pytestmark = pytest.mark.given(WEBHOOK_BASE_URL="https://tgm.example.com")


@pytest.fixture
def team(owner: Person) -> ULID:
    return owner.places[0].team_id


@pytest.fixture
def bot(app: Flask, team: ULID, telegram: FakeTelegram) -> Bot:
    """A bot that receives."""
    bot = bots.add(team, TOKEN, None, COMMAND_LINE)
    receiving.switch_on(team, bot.id, actor=COMMAND_LINE)
    url = json.loads(telegram.calls("setWebhook")[-1].body)["url"]
    telegram.always("getWebhookInfo", reply({"ok": True, "result": {"url": url}}))
    return bot


@pytest.fixture
def held(bot: Bot) -> None:
    endpoint = make_endpoint(bot.id)
    for number in range(3):
        make_delivery(endpoint, an_update(number))


def kept() -> int | None:
    db.session.rollback()
    return db.session.scalar(select(func.count(StoredUpdate.seq)))


def test_deleting_counts_what_goes_and_takes_the_webhook_away(
    signed_in: FlaskClient, bot: Bot, held: None, telegram: FakeTelegram
) -> None:
    page = f"/dashboard/bots/{bot.id}/delete"
    text = signed_in.get(page).text
    assert "1 endpoint<" in text
    assert "3 stored updates" in text
    assert "3 deliveries, of which 3 still wait" in text
    assert submit(signed_in, page, name="Another").status_code == 422
    assert telegram.calls("deleteWebhook") == []
    assert kept() == 3
    assert submit(signed_in, page, name=bot.name).status_code == 303
    assert len(telegram.calls("deleteWebhook")) == 1
    assert kept() == 0
    assert signed_in.get(page).status_code == 404


def test_deleting_says_so_where_telegram_cannot_be_reached(
    signed_in: FlaskClient, bot: Bot, held: None, telegram: FakeTelegram
) -> None:
    telegram.always("getWebhookInfo", Reply(b"", close=True))
    answer = submit(signed_in, f"/dashboard/bots/{bot.id}/delete", name=bot.name)
    assert answer.status_code == 422
    assert "Telegram could not be reached" in answer.text
    assert kept() == 3


def test_a_new_token_is_registered_at_once(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram
) -> None:
    new = f"{bot.telegram_id}:AAnewTokenOfTheSameBot_0123456789abcd"
    telegram.add_bot(new, "Test bot", "tgm_test_bot")
    page = f"/dashboard/bots/{bot.id}/token"
    assert submit(signed_in, page, token=new).status_code == 303
    assert new in telegram.calls("setWebhook")[-1].target
    telegram.always("setWebhook", refusal(429, "Too Many Requests: later", retry_after=3))
    assert submit(signed_in, page, token=new).status_code == 303
    assert "Too Many Requests: later" in signed_in.get(f"/dashboard/bots/{bot.id}").text


def test_what_waited_while_the_bot_was_disabled_drains_slowly(
    signed_in: FlaskClient, bot: Bot, held: None
) -> None:
    bots.disable(bot.team_id, bot.id, COMMAND_LINE)
    page = f"/dashboard/bots/{bot.id}"
    token = csrf_token(signed_in.get(page))
    assert signed_in.post(f"{page}/enable", data={"csrf_token": token}).status_code == 303
    db.session.rollback()
    newest = db.session.scalar(select(func.max(Delivery.seq)))
    assert db.session.scalars(select(Endpoint.drain_until_seq)).all() == [newest]
