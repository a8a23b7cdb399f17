"""What a receiver's answer may ask for."""

import json
from collections.abc import Iterator

import pytest

from tests.fakes.telegram import TOKEN, FakeTelegram, refusal, reply
from tgm.telegram.client import TelegramClient
from tgm.telegram.token import BotToken
from tgm.telegram.upstream import Route
from tgm.webhook import answers

MESSAGE = {"method": "sendMessage", "chat_id": 1, "text": "Siap", "reply_markup": {"a": [1]}}


@pytest.fixture
def client(telegram: FakeTelegram) -> Iterator[TelegramClient]:
    client = TelegramClient(Route(telegram.url, timeout=5))
    yield client
    client.close()


def outcome(client: TelegramClient, body: bytes) -> str:
    asked = answers.wanted(body, is_whole=True)
    assert asked is not None
    return answers.call(client, BotToken(TOKEN), asked)


@pytest.mark.parametrize(
    "body",
    [b"", b"OK", b"[]", b"{}", b'{"method":1}', b"{", b"<html>", b"\xff\xfe", b'"method"', b"null"],
)
def test_most_answers_name_no_method(body: bytes) -> None:
    assert answers.wanted(body, is_whole=True) is None


def test_a_named_method_is_called_with_the_rest_of_the_answer(
    client: TelegramClient, telegram: FakeTelegram
) -> None:
    assert outcome(client, b" \n" + json.dumps(MESSAGE).encode()) == "sendMessage ok"
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
    client: TelegramClient, telegram: FakeTelegram, method: str
) -> None:
    assert "refused" in outcome(client, json.dumps({"method": method}).encode())
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
    client: TelegramClient, telegram: FakeTelegram, said: dict[str, object]
) -> None:
    assert "refused" in outcome(client, json.dumps(said).encode())
    assert telegram.requests == []


def test_what_telegram_says_is_kept_without_the_token(
    client: TelegramClient, telegram: FakeTelegram
) -> None:
    telegram.replies(
        refusal(400, f"Bad Request: chat not found {TOKEN}" + "x" * 500),
        reply(b"no JSON"),
    )
    words = outcome(client, json.dumps(MESSAGE).encode())
    assert words.startswith("sendMessage 400 Bad Request: chat not found")
    assert TOKEN not in words
    assert len(words) == 255
    assert outcome(client, json.dumps(MESSAGE).encode()) == "sendMessage telegram_protocol"


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
