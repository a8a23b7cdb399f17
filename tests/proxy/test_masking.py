"""The only answers of Telegram's that are changed on their way back."""

import json

from tests.fakes.telegram import TOKEN
from tgm.proxy.blocks import Blotted
from tgm.proxy.masking import mask
from tgm.telegram.token import BotToken

BASE = "https://TGM.example.com:443"


def masked(body: bytes, method: str = "getFile") -> bytes:
    return mask(body, method, BotToken(TOKEN))


def test_an_ordinary_answer_keeps_every_byte() -> None:
    body = b'{ "ok" : true,\n "result":{"text":"\\u00e9 \xc3\xa9"} }'
    assert masked(body) == body
    assert masked(body, "getWebhookInfo") == body


def test_an_absolute_path_of_a_local_server_becomes_relative() -> None:
    path = f"/var/lib/telegram-bot-api/{TOKEN}/documents/file_7.pdf"
    body = json.dumps({"ok": True, "result": {"file_id": "x", "file_path": path}}).encode()
    assert json.loads(masked(body))["result"] == {
        "file_id": "x",
        "file_path": "documents/file_7.pdf",
    }


def test_a_windows_server_s_path_becomes_relative_too() -> None:
    path = "C:\\data\\" + TOKEN.replace(":", "~") + "\\photos\\file_1.jpg"
    body = json.dumps({"ok": True, "result": {"file_path": path}}).encode()
    assert json.loads(masked(body))["result"]["file_path"] == "photos/file_1.jpg"


def test_the_token_leaves_in_no_answer() -> None:
    for body in (
        f'{{"ok":false,"description":"no such path /bot{TOKEN}/getMe"}}'.encode(),
        f"<html>404 /bot{TOKEN}/x</html>".encode(),
        json.dumps({"ok": True, "result": [TOKEN]}).encode(),
    ):
        assert TOKEN.encode() not in masked(body, "getMe")


def test_the_relays_own_webhook_address_is_hidden() -> None:
    info = {
        "url": f"{BASE}/api/v1/tg-webhook/secretpath",
        "pending_update_count": 3,
        "ip_address": "203.0.113.9",
        "last_error_date": 1,
        "last_error_message": "Wrong response from the webhook: 500 secretpath",
    }
    body = json.dumps({"ok": True, "result": info}).encode()
    assert json.loads(masked(body, "GETWEBHOOKINFO"))["result"] == {
        "url": "",
        "pending_update_count": 3,
        "last_error_date": 1,
    }


def test_somebody_elses_webhook_is_shown_as_it_is() -> None:
    body = b'{"ok":true,"result":{"url":"https://elsewhere.example/hook","ip_address":"1.2.3.4"}}'
    assert masked(body, "getWebhookInfo") == body


def test_an_answer_nested_beyond_reason_is_left_alone() -> None:
    body = b"[" * 100_000
    assert masked(body, "getWebhookInfo") == body


def test_in_a_stream_the_token_is_blotted_out_and_the_length_stays() -> None:
    text = b"a" * 10 + TOKEN.encode() + b"b" + TOKEN.encode()
    blocks = iter([text[:20], text[20:50], text[50:]])
    blotted = b"".join(Blotted(blocks, [TOKEN.encode()]))
    stars = b"*" * len(TOKEN)
    assert blotted == b"a" * 10 + stars + b"b" + stars
