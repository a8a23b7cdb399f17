"""The documentation's example from end to end: a keyboard is sent, its button pressed, the spinner
stops, and the team's program gets the press, signed."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from tests.fakes.command import run
from tests.fakes.process import process
from tests.fakes.receiver import Receiver
from tests.fakes.serving import Got, Served
from tests.fakes.telegram import TOKEN, FakeTelegram

KEYBOARD = {
    "chat_id": 523067421,
    "text": "Ada orderan masuk #2437234. Konfirmasi?",
    "reply_markup": {
        "inline_keyboard": [
            [
                {"text": "Ya", "callback_data": "order:confirm:2437234"},
                {"text": "Tidak", "callback_data": "order:reject:2437234"},
            ]
        ]
    },
}
PRESS = (
    b'{"update_id": 870001,\n "callback_query":{"id":"4382bfdwdsb323b2d9","from":{"id":523067421,'
    b'"is_bot":false,"first_name":"Ani"},"message":{"message_id":42,"date":1,"chat":{'
    b'"id":523067421,"type":"private"}},"chat_instance":"1","data":"order:confirm:2437234"}}'
)


@pytest.fixture
def given(environ: dict[str, str]) -> dict[str, str]:
    return {
        **environ,
        "WEBHOOK_BASE_URL": "https://tgm.example.com",
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    }


def test_a_press_stops_its_spinner_and_reaches_the_program_signed(
    given: dict[str, str], telegram: FakeTelegram, tmp_path: Path
) -> None:
    words = ("user", "add", "ani@example.com", "--role", "owner", "--password-stdin")
    assert run(*words, environ=given, stdin="a long enough password").returncode == 0
    bot = json.loads(
        run("bot", "add", "--token-stdin", "--json", environ=given, stdin=TOKEN).stdout
    )
    key = json.loads(run("key", "add", "Orders", "--json", environ=given).stdout)["key"]
    with Receiver() as receiver, process(given, tmp_path / "log") as tgm:
        added = run("webhook", "add", bot["id"], receiver.url, "--json", environ=given)
        secret = json.loads(added.stdout)["secret"]
        sent = tgm.served.call(
            "POST",
            f"/api/v1/bots/{bot['id']}/sendMessage",
            json.dumps(KEYBOARD).encode(),
            {"X-API-Key": key, "Content-Type": "application/json"},
        )
        assert sent.status == 200
        assert press(tgm.served, telegram).status == 200
        assert press(tgm.served, telegram).status == 200
        telegram.wait_for_call("answerCallbackQuery")
        (got,) = receiver.wait_for(1)
    assert got.body == PRESS
    assert got.headers["x-webhook-bot-id"] == bot["id"]
    expected = hmac.new(secret.encode(), got.body, hashlib.sha256).hexdigest()
    assert got.headers["x-webhook-signature"] == f"sha256={expected}"
    Webhook(secret).verify(got.body, got.headers)
    answered = telegram.calls("answerCallbackQuery")
    assert len(answered) == 1
    assert b"4382bfdwdsb323b2d9" in answered[0].body
    assert (tmp_path / "log").read_text() == ""


def press(served: Served, telegram: FakeTelegram) -> Got:
    """Post the press as Telegram would, to where TGM asked for it."""
    asked = json.loads(telegram.calls("setWebhook")[-1].body)
    target = asked["url"].removeprefix("https://tgm.example.com")
    headers = {
        "Content-Type": "application/json",
        "X-Telegram-Bot-Api-Secret-Token": asked["secret_token"],
    }
    return served.call("POST", target, PRESS, headers)
