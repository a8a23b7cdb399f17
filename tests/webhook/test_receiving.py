"""TGM's own record and Telegram's agree on how a bot receives, whatever goes wrong in between."""

import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from ulid import ULID

from tests.fakes.telegram import TOKEN, FakeTelegram, Recorded, Reply, refusal, reply
from tests.making import acts, make_team
from tests.webhook.rows import an_update, make_delivery, make_endpoint
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.extensions import db, runtime
from tgm.security.credentials import digest
from tgm.shared.clock import utcnow
from tgm.shared.errors import Conflict, Invalid, NotFound
from tgm.telegram.catalog import UPDATE_KINDS
from tgm.telegram.errors import TelegramRefused, TelegramUnreachable
from tgm.webhook import forgetting, receiving
from tgm.webhook.models import (
    Acknowledge,
    Attempt,
    Delivery,
    Endpoint,
    Mode,
    Reception,
    StoredUpdate,
)

BASE = "https://tgm.example.com"
public = pytest.mark.given(WEBHOOK_BASE_URL=BASE)


@pytest.fixture
def team(app: Flask) -> ULID:
    return make_team("Toko")


@pytest.fixture
def bot(team: ULID, telegram: FakeTelegram) -> Bot:
    bot = bots.add(team, TOKEN, None, COMMAND_LINE)
    telegram.requests.clear()
    return bot


def sent(recorded: Recorded) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(recorded.body)
    return found


def on(bot: Bot, **options: Any) -> Reception:
    return receiving.switch_on(bot.team_id, bot.id, actor=COMMAND_LINE, **options)


def receives(bot: Bot) -> str | None:
    """Return what the proxy knows of it."""
    return runtime.snapshot.current().bots[str(bot.id)].receiving


def now_set(telegram: FakeTelegram) -> str:
    """Return the webhook's URL that Telegram has been given last."""
    return str(sent(telegram.calls("setWebhook")[-1])["url"])


def webhook_is(telegram: FakeTelegram, url: str, **more: object) -> None:
    telegram.always("getWebhookInfo", reply({"ok": True, "result": {"url": url, **more}}))


@public
def test_switching_on_registers_a_fresh_webhook(bot: Bot, telegram: FakeTelegram) -> None:
    reception = on(bot)
    (call,) = telegram.calls("setWebhook")
    asked = sent(call)
    place, _, path = asked["url"].rpartition("/")
    assert place == f"{BASE}/api/v1/tg-webhook"
    assert len(path) >= 32
    assert len(asked["secret_token"]) >= 32
    assert asked["allowed_updates"] == list(UPDATE_KINDS)
    assert asked["max_connections"] == 40
    assert reception.path_digest == digest(path)
    assert reception.secret_digest == digest(asked["secret_token"])
    assert (reception.mode, receives(bot)) == (Mode.WEBHOOK, "webhook")
    assert reception.acknowledge is Acknowledge.AT_ONCE
    on(bot, kinds=["poll", "message"], max_connections=7)
    again = sent(telegram.calls("setWebhook")[-1])
    assert again["url"] != asked["url"]
    assert again["secret_token"] != asked["secret_token"]
    assert (again["allowed_updates"], again["max_connections"]) == (["message", "poll"], 7)


@public
def test_the_tokens_are_nowhere_but_at_telegram(
    bot: Bot, telegram: FakeTelegram, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    reception = on(bot)
    asked = sent(telegram.calls("setWebhook")[0])
    path = asked["url"].rpartition("/")[2]
    kept = repr([vars(reception), [vars(act) for act in acts(bot.team_id)]]) + caplog.text
    assert path not in kept
    assert asked["secret_token"] not in kept


@public
def test_telegram_may_post_before_it_has_answered(bot: Bot, telegram: FakeTelegram) -> None:
    seen, receptions = [], runtime.relay.receptions

    def post_at_once(recorded: Recorded) -> Reply:
        path = sent(recorded)["url"].rpartition("/")[2]
        seen.append(receptions.by_path(path))
        return reply({"ok": True, "result": True})

    telegram.always("setWebhook", post_at_once)
    on(bot)
    assert [known and known.bot_id for known in seen] == [str(bot.id)]


@public
def test_a_refusal_leaves_a_bot_that_did_not_receive_as_it_was(
    bot: Bot, telegram: FakeTelegram
) -> None:
    telegram.always("setWebhook", refusal(400, "Bad Request: bad webhook: HTTPS url must be"))
    with pytest.raises(TelegramRefused, match="bad webhook"):
        on(bot)
    assert receiving.of_bot(bot.id) is None
    assert receives(bot) is None
    assert "receiving.set" not in {act.action for act in acts(bot.team_id)}


@public
def test_a_refusal_leaves_a_bot_that_receives_as_it_was(bot: Bot, telegram: FakeTelegram) -> None:
    on(bot, kinds=["message"])
    path = now_set(telegram).rpartition("/")[2]
    receiving.set_acknowledge(bot.team_id, bot.id, Acknowledge.NEVER, COMMAND_LINE)
    telegram.always("setWebhook", refusal(400, "Bad Request: nonsense"))
    with pytest.raises(TelegramRefused):
        on(bot, kinds=["poll"])
    reception = receiving.of_bot(bot.id)
    assert reception is not None
    assert (reception.allowed_updates, reception.path_digest) == (["message"], digest(path))
    assert reception.acknowledge is Acknowledge.NEVER
    assert reception.problem == "refused"
    assert "nonsense" in (reception.problem_text or "")
    assert runtime.relay.receptions.by_path(path) is not None


@public
def test_an_answer_lost_on_the_way_back_is_asked_for(bot: Bot, telegram: FakeTelegram) -> None:
    telegram.always("setWebhook", Reply(b"HTTP/1.1 200 OK\r\n", close=True))
    with pytest.raises(TelegramUnreachable):
        on(bot)
    assert receiving.of_bot(bot.id) is None
    telegram.always(
        "getWebhookInfo", lambda _: reply({"ok": True, "result": {"url": now_set(telegram)}})
    )
    assert on(bot).path_digest == digest(now_set(telegram).rpartition("/")[2])
    assert receives(bot) == "webhook"


def test_without_a_public_address_a_bot_is_polled(bot: Bot, telegram: FakeTelegram) -> None:
    reception = on(bot, kinds=["message"])
    assert (reception.mode, receives(bot)) == (Mode.POLLING, "polling")
    assert reception.allowed_updates == ["message"]
    (call,) = telegram.calls("deleteWebhook")
    assert sent(call) == {"drop_pending_updates": False}
    with pytest.raises(Conflict, match="WEBHOOK_BASE_URL"):
        receiving.use_webhook(bot.team_id, bot.id, COMMAND_LINE)
    assert receives(bot) == "polling"


@public
def test_it_changes_over_and_back(bot: Bot, telegram: FakeTelegram) -> None:
    on(bot, kinds=["message"], max_connections=9)
    old = now_set(telegram).rpartition("/")[2]
    reception = receiving.use_polling(bot.team_id, bot.id, COMMAND_LINE)
    assert sent(telegram.calls("deleteWebhook")[0]) == {"drop_pending_updates": False}
    assert (reception.mode, reception.offset, receives(bot)) == (Mode.POLLING, None, "polling")
    assert runtime.relay.receptions.by_path(old) is None
    reception = receiving.use_webhook(bot.team_id, bot.id, COMMAND_LINE)
    assert (reception.mode, receives(bot)) == (Mode.WEBHOOK, "webhook")
    assert reception.lease_owner is None
    asked = sent(telegram.calls("setWebhook")[-1])
    assert (asked["allowed_updates"], asked["max_connections"]) == (["message"], 9)


@public
def test_a_bot_stays_with_its_webhook_where_telegram_will_not_drop_it(
    bot: Bot, telegram: FakeTelegram
) -> None:
    on(bot)
    telegram.always("deleteWebhook", refusal(429, "Too Many Requests", retry_after=3))
    with pytest.raises(TelegramRefused):
        receiving.use_polling(bot.team_id, bot.id, COMMAND_LINE)
    assert receives(bot) == "webhook"
    assert runtime.relay.receptions.by_path(now_set(telegram).rpartition("/")[2]) is not None


@public
def test_somebody_elses_webhook_is_noticed_and_taken_back(bot: Bot, telegram: FakeTelegram) -> None:
    on(bot)
    webhook_is(telegram, now_set(telegram))
    checked = receiving.check(bot.team_id, bot.id)
    assert checked is not None
    assert checked.problem is None
    assert checked.checked_at is not None
    webhook_is(telegram, "https://other.example.net/hook/their-secret")
    checked = receiving.check(bot.team_id, bot.id)
    assert checked is not None
    assert checked.problem == "taken_over"
    assert checked.problem_text == "The bot's webhook leads to other.example.net."
    reception = receiving.take_back(bot.team_id, bot.id, COMMAND_LINE)
    assert len(telegram.calls("setWebhook")) == 2
    assert reception.problem is None


@public
def test_a_webhook_that_is_not_the_one_registered_is_noticed(
    bot: Bot, telegram: FakeTelegram
) -> None:
    on(bot)
    # Taken away, put back as it was before, and registered under yesterday's public address.
    moved = now_set(telegram).replace(BASE, "https://yesterday.example.com")
    for url in ("", f"{BASE}/api/v1/tg-webhook/another", moved):
        webhook_is(telegram, url)
        checked = receiving.check(bot.team_id, bot.id)
        assert checked is not None
        assert checked.problem == "taken_over"


@public
def test_telegrams_own_complaint_is_shown_while_it_is_fresh(
    bot: Bot, telegram: FakeTelegram
) -> None:
    on(bot)
    now = int(utcnow().timestamp())
    said = "Wrong response from the webhook: 502 Bad Gateway"
    for at, problem in ((now - 10, "unreachable"), (now - 3600, None)):
        webhook_is(telegram, now_set(telegram), last_error_date=at, last_error_message=said)
        checked = receiving.check(bot.team_id, bot.id)
        assert checked is not None
        assert checked.problem == problem
        assert (said in (checked.problem_text or "")) is (problem is not None)


@public
def test_a_check_that_telegram_does_not_answer_is_noted(bot: Bot, telegram: FakeTelegram) -> None:
    on(bot)
    telegram.always("getWebhookInfo", refusal(401, "Unauthorized"))
    checked = receiving.check(bot.team_id, bot.id)
    assert checked is not None
    assert checked.problem == "refused"


@public
def test_webhooks_are_checked_every_ten_minutes(bot: Bot, telegram: FakeTelegram) -> None:
    on(bot)
    webhook_is(telegram, now_set(telegram))
    now = utcnow()
    assert receiving.check_due(now) == 1
    assert receiving.check_due(now) == 0
    assert receiving.check_due(utcnow() + receiving.CHECK_EVERY) == 1


@public
def test_handing_back_frees_the_bot_and_keeps_what_was_stored(
    bot: Bot, telegram: FakeTelegram
) -> None:
    on(bot)
    make_delivery(make_endpoint(bot.id), an_update(1))
    webhook_is(telegram, now_set(telegram))
    receiving.hand_back(bot.team_id, bot.id, COMMAND_LINE)
    assert sent(telegram.calls("deleteWebhook")[0]) == {"drop_pending_updates": False}
    assert receiving.of_bot(bot.id) is None
    assert receives(bot) is None
    assert db.session.scalar(select(func.count(StoredUpdate.seq))) == 1
    with pytest.raises(NotFound):
        receiving.hand_back(bot.team_id, bot.id, COMMAND_LINE)


@public
def test_handing_back_leaves_somebody_elses_webhook_alone(bot: Bot, telegram: FakeTelegram) -> None:
    on(bot)
    webhook_is(telegram, "https://other.example.net/hook")
    receiving.hand_back(bot.team_id, bot.id, COMMAND_LINE)
    assert telegram.calls("deleteWebhook") == []
    assert receives(bot) is None


@public
def test_a_revoked_token_does_not_keep_a_bot(bot: Bot, telegram: FakeTelegram) -> None:
    on(bot)
    del telegram.bots[TOKEN]
    receiving.hand_back(bot.team_id, bot.id, COMMAND_LINE)
    assert receives(bot) is None


@public
def test_a_new_token_registers_anew(bot: Bot, telegram: FakeTelegram) -> None:
    assert receiving.renew(bot.team_id, bot.id, COMMAND_LINE) is None
    on(bot, kinds=["message"])
    new = f"{bot.telegram_id}:AAnewTokenOfTheSameBot_0123456789abcd"
    telegram.add_bot(new, "Test bot", "tgm_test_bot")
    bots.replace_token(bot.team_id, bot.id, new, COMMAND_LINE)
    receiving.renew(bot.team_id, bot.id, COMMAND_LINE)
    last = telegram.calls("setWebhook")[-1]
    assert new in last.target
    assert sent(last)["allowed_updates"] == ["message"]


def test_pausing_holds_the_deliveries_and_goes_on_receiving(bot: Bot) -> None:
    on(bot)
    endpoint = make_endpoint(bot.id)
    delivery = make_delivery(endpoint, an_update(1))
    assert receiving.pause(bot.team_id, bot.id, COMMAND_LINE).is_paused
    assert receives(bot) == "polling"
    assert not receiving.resume(bot.team_id, bot.id, COMMAND_LINE).is_paused
    db.session.rollback()
    found = db.session.get(Endpoint, endpoint.id, populate_existing=True)
    assert found is not None
    assert found.drain_until_seq == delivery.seq, "what has waited must not flood the receiver"
    actions = [act.action for act in acts(bot.team_id)]
    assert actions[-2:] == ["receiving.paused", "receiving.resumed"]


@public
def test_forgetting_counts_and_removes_everything(bot: Bot, telegram: FakeTelegram) -> None:
    on(bot)
    webhook_is(telegram, now_set(telegram))
    endpoint = make_endpoint(bot.id)
    for number in range(3):
        make_delivery(endpoint, an_update(number))
    counts = forgetting.Held(endpoints=1, updates=3, deliveries=3, undelivered=3)
    assert forgetting.held(bot.team_id, bot.id) == counts
    assert forgetting.forget(bot.team_id, bot.id, COMMAND_LINE) == counts
    assert len(telegram.calls("deleteWebhook")) == 1
    db.session.rollback()
    for model in (Reception, Endpoint, StoredUpdate, Delivery, Attempt):
        assert db.session.scalar(select(func.count()).select_from(model)) == 0
    bots.delete(bot.team_id, bot.id, bot.name, COMMAND_LINE)


@public
def test_a_bot_is_not_forgotten_while_its_webhook_cannot_be_taken_away(
    bot: Bot, telegram: FakeTelegram
) -> None:
    on(bot)
    telegram.always("getWebhookInfo", Reply(b"", close=True))
    with pytest.raises(TelegramUnreachable):
        forgetting.forget(bot.team_id, bot.id, COMMAND_LINE)
    assert receives(bot) == "webhook"


@public
def test_what_telegram_would_not_take_is_not_asked(bot: Bot, telegram: FakeTelegram) -> None:
    bad: tuple[dict[str, Any], ...] = (
        {"kinds": ["nonsense"]},
        {"kinds": []},
        {"max_connections": 101},
    )
    for options in bad:
        with pytest.raises(Invalid):
            on(bot, **options)
    assert telegram.requests == []


def test_another_teams_bot_is_none_at_all(bot: Bot, telegram: FakeTelegram) -> None:
    on(bot)
    telegram.requests.clear()
    stranger = make_team("Warung")
    for act in (
        receiving.use_polling, receiving.use_webhook, receiving.take_back, receiving.hand_back,
        receiving.pause, receiving.resume, receiving.renew, forgetting.forget,
    ):  # fmt: skip
        with pytest.raises(NotFound):
            act(stranger, bot.id, COMMAND_LINE)
    with pytest.raises(NotFound):
        receiving.check(stranger, bot.id)
    with pytest.raises(NotFound):
        receiving.switch_on(stranger, bot.id, actor=COMMAND_LINE)
    with pytest.raises(NotFound):
        receiving.set_acknowledge(stranger, bot.id, Acknowledge.NEVER, COMMAND_LINE)
    assert telegram.requests == []
