"""What a receiver's answer may ask for."""

import json
from collections.abc import Callable

import pytest
from flask import Flask

from tests.fakes.telegram import TOKEN, FakeTelegram, refusal, reply
from tests.making import make_team
from tests.webhook.delivering import NOON
from tests.webhook.rows import an_update, make_delivery, make_endpoint
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.extensions import db, runtime
from tgm.webhook import answers
from tgm.webhook.answers import Calls
from tgm.webhook.claimed import Claimed, load

MESSAGE = {"method": "sendMessage", "chat_id": 1, "text": "Siap", "reply_markup": {"a": [1]}}


@pytest.fixture
def bot(app: Flask) -> Bot:
    return bots.add(make_team("Toko"), TOKEN, None, COMMAND_LINE)


@pytest.fixture
def claimed(bot: Bot, telegram: FakeTelegram) -> Claimed:
    """A delivery to the endpoint of the bot, under way."""
    endpoint = make_endpoint(bot.id, takes_answers=True)
    delivery = make_delivery(endpoint, an_update(1), next_at=NOON, at=NOON)
    telegram.requests.clear()
    with db.engine.connect() as connection:
        return load(connection, [delivery.seq])[0]


Outcome = Callable[[bytes], str]


@pytest.fixture
def outcome(claimed: Claimed) -> Outcome:
    """What becomes of an answer that names a method."""
    calls = Calls(runtime.telegram, runtime.vault, runtime.snapshot, runtime.sending.own)

    def outcome(body: bytes) -> str:
        asked = answers.wanted(body, is_whole=True)
        assert asked is not None
        return calls.call(claimed, asked)

    return outcome


@pytest.mark.parametrize(
    "body",
    [b"", b"OK", b"[]", b"{}", b'{"method":1}', b"{", b"<html>", b"\xff\xfe", b'"method"', b"null"],
)
def test_most_answers_name_no_method(body: bytes) -> None:
    assert answers.wanted(body, is_whole=True) is None


def test_a_named_method_is_called_with_the_rest_of_the_answer(
    outcome: Outcome, telegram: FakeTelegram
) -> None:
    assert outcome(b" \n" + json.dumps(MESSAGE).encode()) == "sendMessage ok"
    [called] = telegram.calls("sendMessage")
    assert json.loads(called.body) == {k: v for k, v in MESSAGE.items() if k != "method"}


@pytest.mark.parametrize(
    "method",
    [
        "getUpdates",
        "getMe",
        "GETFILE",
        "setWebhook",
        "SETWEBHOOK",
        "deleteWebhook",
        "logOut",
        "close",
        "getChat",
    ],
)
def test_reading_and_what_breaks_receiving_is_refused(
    outcome: Outcome, telegram: FakeTelegram, method: str
) -> None:
    assert "refused" in outcome(json.dumps({"method": method}).encode())
    assert telegram.requests == []


@pytest.mark.parametrize(
    "said",
    [
        {"method": "../getMe"},
        {"method": "sendMessage?x"},
        {"method": ""},
        {"method": "sendMessage", "token": "x"},
        {"method": "sendMessage", "self": 1},
        {"method": "sendMessage", "Chat-Id": 1},
    ],
)
def test_odd_names_are_refused(
    outcome: Outcome, telegram: FakeTelegram, said: dict[str, object]
) -> None:
    assert "refused" in outcome(json.dumps(said).encode())
    assert telegram.requests == []


def test_what_telegram_says_is_kept_without_the_token(
    outcome: Outcome, telegram: FakeTelegram
) -> None:
    telegram.replies(
        refusal(400, f"Bad Request: chat not found {TOKEN}" + "x" * 500),
        reply(b"no JSON"),
    )
    words = outcome(json.dumps(MESSAGE).encode())
    assert words.startswith("sendMessage 400 Bad Request: chat not found")
    assert TOKEN not in words
    assert len(words) == 255
    assert outcome(json.dumps(MESSAGE).encode()) == "sendMessage telegram_protocol"


def test_an_answer_that_was_cut_off_is_noticed() -> None:
    body = json.dumps(MESSAGE).encode()[:-3]
    asked = answers.wanted(body, is_whole=False)
    assert asked is not None
    assert asked.refusal is not None


def test_the_press_that_an_answer_answers_is_known() -> None:
    asked = answers.wanted(
        b'{"method":"answercallbackquery","callback_query_id":"77"}', is_whole=True
    )
    assert asked is not None
    assert (asked.method, asked.callback_id) == ("answerCallbackQuery", "77")
    other = answers.wanted(json.dumps(MESSAGE).encode(), is_whole=True)
    assert other is not None
    assert other.callback_id is None
