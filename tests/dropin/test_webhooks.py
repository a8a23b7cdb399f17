"""setWebhook, deleteWebhook and getWebhookInfo: an endpoint of the program's own, in TGM."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from ulid import ULID

from tests.dropin.asking import ask, ids
from tests.dropin.conftest import Library
from tests.fakes.receiver import Receiver, answers
from tests.fakes.serving import Got, Served
from tests.fakes.telegram import OTHER_TOKEN, FakeTelegram
from tests.making import browser_of
from tests.webhook.delivering import a_deliverer, work_all
from tgm.audit.service import COMMAND_LINE
from tgm.auth.roles import Role
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.dropin import settling
from tgm.dropin.tokens import virtual_token
from tgm.keys import service as keys
from tgm.keys.rights import Rights
from tgm.shared.clock import utcnow
from tgm.webhook import endpoints, receiving
from tgm.webhook.models import Acknowledge

pytestmark = pytest.mark.given(WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")

SECRET_TOKEN = "tok-En_1"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def deliver() -> None:
    with a_deliverer() as deliverer:
        work_all(deliverer, utcnow())


def set_webhook(library: Library, receiver: Receiver, **more: Any) -> Got:
    return ask(library, "setWebhook", url=receiver.url, **more)


def test_a_program_gets_its_updates_with_its_secret_token(
    library: Library,
    receiver: Receiver,
    bot: Bot,
    arrive: Callable[..., None],
    telegram: FakeTelegram,
) -> None:
    answer = set_webhook(library, receiver, secret_token=SECRET_TOKEN)
    assert answer.json == {"ok": True, "result": True, "description": "Webhook was set"}
    arrive(1)
    deliver()
    (got,) = receiver.requests
    assert got.headers.get("x-telegram-bot-api-secret-token") == SECRET_TOKEN
    assert b'"update_id": 1' in got.body
    # TGM's own webhook, or poll, at Telegram is not touched by the program's.
    assert telegram.calls("setWebhook") == []
    reception = receiving.of_bot(bot.id)
    assert reception is not None
    assert reception.acknowledge is Acknowledge.AFTER_DELIVERY


def test_set_again_changes_it_in_place(
    library: Library, receiver: Receiver, bot: Bot, arrive: Callable[..., None]
) -> None:
    set_webhook(library, receiver, secret_token=SECRET_TOKEN)
    set_webhook(library, receiver, allowed_updates=["callback_query"], max_connections=7)
    (endpoint,) = endpoints.of_bot(bot.id)
    assert (endpoint.kinds, endpoint.max_connections) == (["callback_query"], 7)
    arrive(1)
    arrive(raw=b'{"update_id": 2, "callback_query": {"id": "9", "from": {"id": 4}}}')
    deliver()
    (got,) = receiver.requests
    assert got.headers.get("x-telegram-bot-api-secret-token") is None
    assert b"callback_query" in got.body


def test_get_updates_is_refused_meanwhile_as_telegram_does(
    library: Library, receiver: Receiver
) -> None:
    set_webhook(library, receiver)
    answer = ask(library)
    assert answer.status == 409
    assert answer.json["description"].startswith("Conflict: can't use getUpdates method")
    assert ask(library, "deleteWebhook").json["description"] == "Webhook was deleted"
    assert ids(ask(library)) == []
    assert ask(library, "deleteWebhook").json["description"] == "Webhook is already deleted"


def test_what_waited_for_a_poll_goes_to_the_webhook_and_back(
    library: Library, receiver: Receiver, arrive: Callable[..., None]
) -> None:
    ask(library)
    arrive(1, 2)
    assert ids(ask(library, limit=1)) == [1]
    assert ids(ask(library, offset=2, limit=1)) == [2]
    set_webhook(library, receiver)
    arrive(3)
    assert ask(library, "getWebhookInfo").json["result"]["pending_update_count"] == 2
    ask(library, "setWebhook", url="")
    assert ids(ask(library)) == [2, 3]


def test_pending_updates_can_be_dropped(
    library: Library, receiver: Receiver, arrive: Callable[..., None]
) -> None:
    ask(library)
    arrive(1)
    set_webhook(library, receiver, drop_pending_updates=True)
    arrive(2)
    assert ask(library, "getWebhookInfo").json["result"]["pending_update_count"] == 1
    set_webhook(library, receiver, drop_pending_updates="true")
    arrive(3)
    ask(library, "deleteWebhook", drop_pending_updates=True)
    assert ids(ask(library)) == []
    arrive(4)
    ask(library, "deleteWebhook", drop_pending_updates=True)
    assert ids(ask(library)) == []
    arrive(5)
    assert ids(ask(library)) == [5]


def test_the_description_is_of_the_programs_own(
    library: Library, receiver: Receiver, arrive: Callable[..., None]
) -> None:
    nothing = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}
    assert ask(library, "getWebhookInfo").json == {"ok": True, "result": nothing}
    set_webhook(library, receiver, allowed_updates=["message"])
    arrive(1)
    receiver.replies(answers(500))
    deliver()
    found = ask(library, "getWebhookInfo").json["result"]
    assert found["url"] == receiver.url
    assert (found["pending_update_count"], found["max_connections"]) == (1, 40)
    assert found["allowed_updates"] == ["message"]
    assert found["last_error_message"] == "HTTP 500"
    assert abs(found["last_error_date"] - utcnow().timestamp()) < 60


def test_each_program_has_its_own(
    served: Served,
    bot: Bot,
    make_key: Callable[..., str],
    library: Library,
    receiver: Receiver,
    arrive: Callable[..., None],
) -> None:
    other = Library(served, virtual_token(bot.telegram_id, make_key()).value)
    ask(other)
    set_webhook(library, receiver)
    arrive(1)
    deliver()
    assert len(receiver.requests) == 1
    assert ids(ask(other)) == [1]
    ask(other, "deleteWebhook")
    assert ask(library, "getWebhookInfo").json["result"]["url"] == receiver.url


@pytest.mark.parametrize(
    ("parameters", "part"),
    [
        ({"url": "http://192.168.1.7/hook"}, "bad webhook"),
        ({"url": "ftp://example.com"}, "bad webhook"),
        ({"url": "https://example.com", "secret_token": "sp ace"}, "secret token"),
        ({"url": "https://example.com", "secret_token": "x" * 257}, "secret token"),
        ({"url": "https://example.com", "certificate": "PEM"}, "certificate"),
    ],
)
def test_what_cannot_be_taken_says_why(
    library: Library, bot: Bot, parameters: dict[str, str], part: str
) -> None:
    answer = ask(library, "setWebhook", **parameters)
    assert (answer.status, part in answer.json["description"]) == (400, True)
    assert endpoints.of_bot(bot.id) == []


def test_a_kind_that_telegram_was_not_asked_for_is_asked_for(
    library: Library, team: ULID, bot: Bot
) -> None:
    receiving.switch_on(team, bot.id, kinds=["message"], actor=COMMAND_LINE)
    ask(library, allowed_updates=["poll", "message"])
    reception = receiving.of_bot(bot.id)
    assert reception is not None
    assert reception.allowed_updates == ["message", "poll"]


def test_a_program_whose_keys_are_gone_receives_nothing_more(
    served: Served, bot: Bot, team: ULID, receiver: Receiver, arrive: Callable[..., None]
) -> None:
    key, secret = keys.make(team, Rights("Shop"), COMMAND_LINE)
    set_webhook(Library(served, virtual_token(bot.telegram_id, secret.value).value), receiver)
    successor, secret = keys.rotate(team, key.id, 0, COMMAND_LINE)
    assert settling.settle(utcnow()) == 0
    arrive(1)
    deliver()
    assert len(receiver.requests) == 1
    keys.revoke(team, successor.id, COMMAND_LINE)
    assert settling.settle(utcnow()) == 1
    (endpoint,) = endpoints.of_bot(bot.id)
    assert endpoint.paused_because == "key"
    arrive(2)
    deliver()
    assert len(receiver.requests) == 1


def test_a_key_that_expires_or_loses_the_bot_ends_it_too(
    served: Served, bot: Bot, team: ULID, receiver: Receiver, telegram: FakeTelegram
) -> None:
    soon = utcnow() + timedelta(hours=1)
    key, secret = keys.make(team, Rights("Shop", expires_at=soon), COMMAND_LINE)
    library = Library(served, virtual_token(bot.telegram_id, secret.value).value)
    set_webhook(library, receiver)
    assert settling.settle(utcnow()) == 0
    assert settling.settle(soon + timedelta(seconds=1)) == 1
    # Its program may set it again once its key works again.
    set_webhook(library, receiver)
    telegram.add_bot(OTHER_TOKEN, "Other bot", "tgm_other_bot")
    other = bots.add(team, OTHER_TOKEN, None, COMMAND_LINE)
    keys.change(team, key.id, Rights("Shop", frozenset({other.id})), COMMAND_LINE)
    assert settling.settle(utcnow()) == 1


def test_a_token_in_the_programs_url_is_not_shown(
    library: Library, receiver: Receiver, bot: Bot
) -> None:
    ask(library, "setWebhook", url=f"{receiver.url}/bot{library.token}")
    (endpoint,) = endpoints.of_bot(bot.id)
    assert endpoint.url.endswith(library.token)
    assert endpoint.shown_url == f"{receiver.url}/bot[token]"


def test_no_screen_shows_or_changes_the_address_that_a_program_has_set(
    app: Flask, library: Library, receiver: Receiver, bot: Bot, team: ULID
) -> None:
    ask(library, "setWebhook", url=f"{receiver.url}/bot{library.token}")
    (endpoint,) = endpoints.of_bot(bot.id)
    admin = browser_of(app, team, Role.ADMIN)
    page = admin.get(f"/dashboard/bots/{bot.id}/webhook").text
    assert "/bot[token]" in page
    address = f"/dashboard/bots/{bot.id}/webhook/endpoints/{endpoint.id}/edit"
    assert address not in page
    refused = admin.get(address)
    assert refused.status_code == 409
    for text in (page, refused.text):
        assert library.token not in text


def test_only_a_key_for_all_methods_may_answer_with_a_call(
    served: Served, bot: Bot, make_key: Callable[..., str], library: Library, receiver: Receiver
) -> None:
    set_webhook(library, receiver)
    assert endpoints.of_bot(bot.id)[0].takes_answers
    reader = make_key(methods="setWebhook get*")
    set_webhook(Library(served, virtual_token(bot.telegram_id, reader).value), receiver)
    assert sorted(one.takes_answers for one in endpoints.of_bot(bot.id)) == [False, True]
