"""Every sample on the page does what the page says: copied from it, and run.

The calls are made by a real shell and curl, the signature is verified by Python and Node.js.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from ulid import ULID

from tests.docs.reading import Reader, required
from tests.fakes.receiver import Got, Receiver
from tests.fakes.serving import Served
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.making import make_team
from tests.webhook.delivering import a_deliverer, endpoint_at, work
from tests.webhook.rows import make_delivery
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.dropin.tokens import virtual_token
from tgm.extensions import runtime
from tgm.keys import service as keys
from tgm.keys.rights import Rights
from tgm.shared.clock import utcnow

PICTURE = b"\xff\xd8\xff\xe0 a picture \r\n--\r\n" * 50
PRESS = (
    b'{"update_id": 870001,\n "callback_query":{"id":"4382bfdwdsb323b2d9","from":{"id":523067421,'
    b'"is_bot":false,"first_name":"Ani"},"chat_instance":"1","data":"order:confirm:2437234"}}'
)

pytestmark = pytest.mark.given(WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")


@dataclass(frozen=True)
class Own:
    """The bot and the key that the reader has."""

    team: ULID
    bot_id: str
    key_id: ULID
    key: str


@pytest.fixture
def own(app: Flask, telegram: FakeTelegram) -> Own:
    team = make_team("Toko")
    bot = bots.add(team, TOKEN, None, COMMAND_LINE)
    key, secret = keys.make(team, Rights("Program"), COMMAND_LINE)
    telegram.requests.clear()
    return Own(team, str(bot.id), key.id, secret.value)


@pytest.fixture(params=["en", "id"])
def reader(served: Served, tmp_path: Path, request: pytest.FixtureRequest) -> Reader:
    required("curl")
    folder = tmp_path / "reader"
    folder.mkdir()
    (folder / "gambar.jpg").write_bytes(PICTURE)
    return Reader(served, request.param, folder)


@pytest.fixture
def delivered(app: Flask, own: Own) -> Iterator[tuple[Got, str]]:
    """A button press as TGM delivers it, and the endpoint's secret."""
    with Receiver() as receiver, a_deliverer() as deliverer:
        endpoint = endpoint_at(ULID.from_str(own.bot_id), receiver)
        now = utcnow()
        make_delivery(endpoint, PRESS, at=now, next_at=now)
        assert work(deliverer, now) == 1
        (got,) = receiver.requests
        place = endpoint.secret_place()
        yield got, runtime.vault.open(endpoint.sealed_secret, place=place)


# Calls


def test_the_message_with_a_keyboard_is_sent(
    reader: Reader, own: Own, telegram: FakeTelegram
) -> None:
    ran = reader.run(reader.copy("send-message", own.bot_id, own.key))
    assert (ran.status, ran.json["ok"]) == (200, True)
    sent = json.loads(telegram.calls("sendMessage")[0].body)
    assert sent["chat_id"] == 123456789
    assert sent["text"] == "Halo dunia!"
    assert sent["reply_markup"]["inline_keyboard"] == [
        [
            {"text": "Buka", "url": "https://example.com"},
            {"text": "Aksi", "callback_data": "do_action"},
        ]
    ]


def test_the_photo_is_sent(reader: Reader, own: Own, telegram: FakeTelegram) -> None:
    ran = reader.run(reader.copy("send-photo", own.bot_id, own.key))
    assert (ran.status, ran.json["ok"]) == (200, True)
    sent = telegram.calls("sendPhoto")[0]
    assert (sent.header("Content-Type") or "").startswith("multipart/form-data")
    assert PICTURE in sent.body
    assert b'name="chat_id"\r\n\r\n123456789' in sent.body
    assert b'name="caption"\r\n\r\nFoto liburan' in sent.body


def test_the_message_is_edited(reader: Reader, own: Own, telegram: FakeTelegram) -> None:
    ran = reader.run(reader.copy("edit-message", own.bot_id, own.key))
    assert (ran.status, ran.json["ok"]) == (200, True)
    sent = json.loads(telegram.calls("editMessageText")[0].body)
    assert sent == {"chat_id": 123456789, "message_id": 42, "text": "Pesan terbaru"}


def test_telegrams_own_address_takes_a_token(
    reader: Reader, own: Own, telegram: FakeTelegram
) -> None:
    token = virtual_token(int(TOKEN.partition(":")[0]), own.key).value
    command = reader.copy("drop-in")
    assert command.count("123456789:...") == 1
    ran = reader.run(command.replace("123456789:...", token))
    assert (ran.status, ran.json["ok"]) == (200, True)
    sent = json.loads(telegram.calls("sendMessage")[0].body)
    assert sent == {"chat_id": 123456789, "text": "Halo dunia!"}


def test_the_file_is_downloaded(reader: Reader, own: Own, telegram: FakeTelegram) -> None:
    telegram.files["photos/file_0.jpg"] = PICTURE[::-1]
    assert reader.run(reader.copy("file", own.bot_id, own.key)).status == 200
    assert (reader.folder / "gambar.jpg").read_bytes() == PICTURE[::-1]


def test_the_named_call_acts_once(reader: Reader, own: Own, telegram: FakeTelegram) -> None:
    command = reader.copy("idempotency", own.bot_id, own.key)
    first, second = reader.run(command), reader.run(command)
    assert (first.status, second.status) == (200, 200)
    assert first.text == second.text
    assert len(telegram.calls("sendMessage")) == 1


def test_the_order_is_asked_about(reader: Reader, own: Own, telegram: FakeTelegram) -> None:
    ran = reader.run(reader.copy("order", own.bot_id, own.key))
    assert (ran.status, ran.json["ok"]) == (200, True)
    sent = json.loads(telegram.calls("sendMessage")[0].body)
    assert sent["chat_id"] == 523067421
    (row,) = sent["reply_markup"]["inline_keyboard"]
    assert [button["callback_data"] for button in row] == [
        "order:confirm:2437234",
        "order:reject:2437234",
    ]
    assert [part for button in row for part in button["callback_data"].split(":")][:3] == [
        "order",
        "confirm",
        "2437234",
    ]


def test_the_headers_and_addresses_are_those_that_work(reader: Reader, own: Own) -> None:
    headers = dict(line.split(": ") for line in reader.copy("authentication").splitlines())
    assert headers["X-API-Key"].startswith("tgm_live_")
    for line in reader.copy("endpoint").splitlines():
        verb, _, path = line.partition(" ")
        path = path.replace("{botId}", own.bot_id).replace("{method}", "getMe")
        body = b"{}" if verb == "POST" else None
        assert reader.served.call(verb, path, body, headers).status == 401
        real = {**headers, "X-API-Key": own.key}
        assert reader.served.call(verb, path, body, real).status == 200


@pytest.mark.given(RATE_LIMIT_PER_MINUTE="1")
def test_the_refusal_and_the_limits_headers_are_as_shown(reader: Reader, own: Own) -> None:
    shown = json.loads(reader.copy("error"))
    names = [line.partition(":")[0] for line in reader.copy("limits").splitlines()]
    path, headers = f"/api/v1/bots/{own.bot_id}/getMe", {"X-API-Key": own.key}
    got = reader.served.call("GET", path, headers=headers)
    assert got.status == 200
    while got.status == 200:
        got = reader.served.call("GET", path, headers=headers)
    wait = got.json["parameters"]["retry_after"]
    assert got.json == {**shown, "parameters": {"retry_after": wait}}
    for name in names:
        assert got.headers[name].isdecimal(), name


# What is delivered


def test_what_is_delivered_carries_the_headers_that_are_shown(
    reader: Reader, own: Own, delivered: tuple[Got, str]
) -> None:
    got, _ = delivered
    first, *lines = reader.copy("delivered").splitlines()
    assert first.startswith(f"{got.verb} https://")
    shown = dict(line.split(": ") for line in lines)
    for name, value in shown.items():
        real = got.headers[name.lower()]
        assert real.startswith(value.partition("<")[0].partition("01H")[0].rstrip("0123456789"))
    assert got.headers["x-webhook-bot-id"] == own.bot_id
    assert got.headers["x-webhook-attempt"] == shown["X-Webhook-Attempt"]
    own_headers = {name for name in got.headers if name.startswith(("x-webhook", "webhook-"))}
    assert own_headers == {name.lower() for name in shown}


def test_the_way_of_an_update_names_the_addresses_there_are(app: Flask, reader: Reader) -> None:
    flow = reader.copy("flow")
    rules = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint == "webhook.take"}
    (rule,) = rules
    assert "<WEBHOOK_BASE_URL>" + rule.partition("<")[0] + "<pathToken>" in flow
    assert reader.copy("delivered").splitlines()[0].partition(" ")[2] in flow


@pytest.mark.parametrize("changed", [False, True], ids=["as sent", "changed on the way"])
def test_the_python_sample_verifies_what_is_really_sent(
    reader: Reader, delivered: tuple[Got, str], changed: bool
) -> None:
    got, secret = delivered
    body = got.body.replace(b"confirm", b"reject") if changed else got.body
    reader.environ["TGM_WEBHOOK_SECRET"] = secret
    asked = f"is_from_tgm({body!r}, {got.headers['x-webhook-signature']!r})"
    said = reader.python(f"{reader.copy('verify-python')}\nprint({asked})")
    assert said == str(not changed)


@pytest.mark.parametrize("changed", [False, True], ids=["as sent", "changed on the way"])
def test_the_node_sample_verifies_what_is_really_sent(
    reader: Reader, delivered: tuple[Got, str], changed: bool
) -> None:
    got, secret = delivered
    body = got.body.replace(b"confirm", b"reject") if changed else got.body
    reader.environ["TGM_WEBHOOK_SECRET"] = secret
    # The sample stands in a receiver's handler: its import in front, its verdict caught.
    first, _, rest = reader.copy("verify-node").partition("\n")
    assert first.startswith("import ")
    program = (
        f"{first}\n"
        f"const rawBody = Buffer.from('{body.hex()}', 'hex');\n"
        f"const req = {{headers: {json.dumps(got.headers)}}};\n"
        "const res = {status: (code) => ({end: () => String(code)})};\n"
        f"console.log((() => {{\n{rest}\nreturn 'good';\n}})());\n"
    )
    assert reader.node(program) == ("403" if changed else "good")


def test_every_sample_of_the_page_is_run_by_a_test(reader: Reader) -> None:
    tests = Path(__file__).read_text() + (Path(__file__).parent / "test_choice.py").read_text()
    forgotten = [name for name in reader.samples() if f'"{name}"' not in tests.replace("'", '"')]
    assert forgotten == [], "Run these samples in tests/docs"
